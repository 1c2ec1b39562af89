"""The comparison as one HTML page."""

import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from stages import files
from stages.report.results import read
from tests import drawn
from tests.report import made
from tests.report.made import WIDE

HOSTILE = """<script>alert("1")</script> & 'quotes' {{ 7 * 7 }}"""
CLASSES = ["cat", "<b>dog</b>", "owl"]
PNG = drawn.encoded(drawn.pixels())
NAMES = ("basic", "wide", "deep")


def write_results(root):
    """Make the results of three variants; `wide` has a hostile description."""
    made.make(root, NAMES, classes=CLASSES, train=60, tests=30, shape=(8, 9, 3))
    dataset = root / "data" / "prepared" / "dataset.json"
    facts = {"imbalance": {"largest": CLASSES[1], "smallest": "cat", "ratio": 3.0}}
    facts |= {"licence": HOSTILE, "unreadable": {HOSTILE: "is no image"}}
    files.write_json(dataset, files.read_json(dataset) | facts)
    path = root / "results" / "wide" / "training.json"
    training = files.read_json(path) | {"description": HOSTILE}
    training["settings"]["train"] |= {"batch_size": 86, "early_stopping": None}
    files.write_json(path, training)
    return root


@pytest.fixture(autouse=True)
def _draw_nothing(monkeypatch):
    """Leave the drawing to tests of pictures."""
    monkeypatch.setattr("stages.report.pictures.style.png", lambda figure: PNG)
    for name in ("curves", "confusion_difference"):
        monkeypatch.setattr(f"stages.report.pictures.{name}", lambda *some, **named: None)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Results that no test may change."""
    return write_results(tmp_path_factory.mktemp("results"))


@pytest.fixture
def source(shared):
    """The page of three variants."""
    return made.page(shared, NAMES)


def text(source):
    """Return the visible text."""
    body = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", source)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_says_what_the_rows_and_files_say(shared):
    body_text = text(made.page(shared, NAMES, wide=WIDE, basic={"cv_mean": 0.98}))
    cells = (
        "wide undecided 99.00 ± 0.12 +1.00 (0.00 to 2.00) 0.988 0.700 0.021 80.00 (62.7 to 90.5) 9"
    )
    assert cells in body_text
    assert "leading variant wide, CV accuracy 99.00 ± 0.12 % (undecided) data made, 60" in body_text
    assert "computed with python 3.11, precision float32" in body_text
    assert "Classes of wide" in body_text
    assert "8 × 9 × 3" in body_text  # noqa: RUF001
    assert "<b>dog</b>, has 3 times as many training images" in body_text
    assert f"1 file left out ({HOSTILE}: is no image)" in body_text
    assert f"wide {b'wide'.hex()}" in body_text
    assert "dvc repro -f train@wide" in body_text
    _, precision, recall, f1, images = read("wide", shared / "results").per_class[0]
    found = [read(name, shared / "results").per_class[0][2] for name in ("wide", "basic", "deep")]
    assert f"cat {images} {' '.join(f'{100 * one:.1f}' for one in found)}" in body_text
    assert f"cat {100 * precision:.1f} {100 * recall:.1f} {100 * f1:.1f} {images}" in body_text


def test_settings_are_those_that_differ(source):
    body_text = text(source).split("settings that differ")[1].split("Data source")[0]
    assert re.search(r"batch_size (none )*86( none)*", body_text)
    assert "architecture basic (dense=" in body_text
    assert "epochs" not in body_text
    assert "early_stopping" not in body_text


def test_every_figure_and_image_says_what_it_shows(source):
    found = [unescape(alt) for alt in re.findall(r'<img [^>]*alt="([^"]*)"', source)]
    assert len(found) == source.count("<img")
    assert any("An image of cat predicted as <b>dog</b>." in alt for alt in found)
    for name in NAMES:
        assert sum(re.search(rf"\b(of|to) {name}\b", alt) is not None for alt in found) >= 3
    assert any(alt.startswith("Confusion matrix of wide: ") and "hardest" in alt for alt in found)
    assert "Confusion matrix of wide minus that of basic." in found
    assert not any(alt.startswith("Confusion matrix of basic minus") for alt in found)


def test_text_of_users_stays_text(source):
    assert "<script>alert" not in source
    assert "<b>dog" not in source
    assert text(source).count(HOSTILE) == 3


class Checked(HTMLParser):
    """Collects addresses and unclosed tags."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("src", "href", "srcset")]
        if tag not in ("meta", "img", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_is_whole_and_loads_nothing(source):
    checked = Checked()
    checked.feed(source)
    assert checked.open == []
    assert {address.split(",")[0] for address in checked.addresses if address[0] != "#"} == {
        "data:image/jpeg;base64",
        "data:image/png;base64",
        "measurements.html",  # a link
    }
    for address in checked.addresses:
        assert address[0] != "#" or f'id="{address[1:]}"' in source
    assert not re.search(r"https?://|@import|url\(", source)
    assert "h3 + p, summary { break-after: avoid" in source  # a heading stays with what follows
    assert "default-src 'none'" in source
    assert re.search(r"<th(?! scope=)[\s>]", source) is None


def test_one_variant_has_no_tests(shared):
    body_text = text(made.page(shared, ["basic"]))
    assert body_text.startswith("Comparison of 1 variant Comparison of 1 variant basic is the only")
    for word in ("Holm", "verdict", "differ", "McNemar", "repeats needed", "Agreement", "Recall"):
        assert word not in body_text
    assert "Hardest images" in body_text


def test_variants_without_a_mistake_say_so(tmp_path):
    write_results(tmp_path)
    for name in NAMES:
        path = tmp_path / "results" / name / "predictions.npz"
        with np.load(path) as stored:
            content = dict(stored)
        content["test_probability"] = np.eye(3, dtype="float32")[content["test_label"]]
        np.savez(path, **content)
    body_text = text(made.page(tmp_path, NAMES))
    assert "No variant makes a mistake on the test images." in body_text
    assert body_text.count("no mistake on 30 test images") == 3
    assert "nan" not in body_text


def test_two_classes_have_a_section_of_thresholds_that_names_the_positive_class(tmp_path, source):
    assert "positive class" not in text(source)
    made.make(tmp_path, NAMES, classes=["cat", "dog"], train=60, tests=30)
    page = made.page(tmp_path, NAMES)
    body_text = text(page)
    assert "Thresholds, positive class: dog" in body_text
    assert page.count('alt="ROC and precision-recall curves of ') == 3
    for chosen in ("F1", "balanced accuracy"):
        assert f"best out-of-fold {chosen}" in body_text
    test = read("wide", tmp_path / "results").curves["test"]
    assert f"{test['average_precision']:.4f}" in body_text


@pytest.mark.slow
def test_60_variants_are_all_in_the_tables_and_the_best_20_in_figures(tmp_path):
    names = ["basic", *(f"variant_{number:03}" for number in range(59))]
    made.make(tmp_path, names, train=50, tests=50)
    source = made.page(tmp_path, names)
    assert "show 20 of 60 variants" in text(source)
    for name in names:
        assert source.count(f'<th scope="row" data-value="{name}">{name}</th>') == 5
    assert "Confusion matrix of basic:" in source  # whatever its rank
    assert source.count("minus that of basic") == 19
    assert source.count('class="scroll tall"') == 6
