"""The comparison as one HTML page."""

import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from stages import files
from stages.report.results import read
from tests.report import made

HOSTILE = """<script>alert("1")</script> & 'quotes' {{ 7 * 7 }}"""
CLASSES = ["cat", "<b>dog</b>", "owl"]
NAMES = ("basic", "wide", "deep")


@pytest.fixture
def results(tmp_path):
    """Make the results of three variants; `wide` has a hostile description."""
    made.make(tmp_path, NAMES, classes=CLASSES, train=60, tests=30, shape=(8, 9, 3))
    dataset = tmp_path / "data" / "prepared" / "dataset.json"
    facts = {"imbalance": {"largest": CLASSES[1], "smallest": "cat", "ratio": 3.0}}
    facts |= {"licence": HOSTILE, "unreadable": {HOSTILE: "is no image"}}
    files.write_json(dataset, files.read_json(dataset) | facts)
    path = tmp_path / "results" / "wide" / "training.json"
    training = files.read_json(path) | {"description": HOSTILE}
    training["settings"]["train"] |= {"batch_size": 86, "early_stopping": None}
    files.write_json(path, training)
    return tmp_path


def text(source):
    """Return what a person reads."""
    body = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", source)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


WIDE = {"outcome": "undecided", "verdict": "undecided: +1.00 points (95 % 0.00 to 2.00)"}
WIDE |= {"cv_mean": 0.99, "cv_std": 0.00123, "difference": 0.01, "ci_low": 0.0, "ci_high": 0.02}
WIDE |= {"p_better": 0.98765, "p_holm": 0.0213, "test_accuracy": 0.8, "parameters": 9}


def test_says_what_the_rows_and_files_say(results):
    body_text = text(made.page(results, NAMES, wide=WIDE, basic={"cv_mean": 0.98}))
    cells = "wide undecided 99.00 ± 0.12 +1.00 (0.00 to 2.00) 0.988 0.021 80.00 (62.7 to 90.5) 9"
    assert cells in body_text
    assert "wide (undecided) has the highest mean: 99.00 ± 0.12 %" in body_text
    assert "as the best of 3 on the same folds it is biased upward" in body_text
    assert "corrected for all 2 comparisons (Holm)" in body_text
    assert "Classes of wide" in body_text
    assert "8 × 9 × 3" in body_text  # noqa: RUF001
    assert "training images 60, 20 a class" in body_text
    assert "the largest class, <b>dog</b>, has 3 times as many training images" in body_text
    assert f"1 file left out ({HOSTILE}: is no image)" in body_text
    assert f"wide {b'wide'.hex()}" in body_text
    assert "dvc repro -f train@wide" in body_text
    per_class = read("wide", results / "results").per_class
    _, precision, recall, f1, images = per_class[0]
    assert f"cat {100 * precision:.1f} {100 * recall:.1f} {100 * f1:.1f} {images}" in body_text


def test_settings_are_those_that_differ(results):
    body_text = (
        text(made.page(results, NAMES)).split("settings that differ")[1].split("Data source")[0]
    )
    assert re.search(r"batch_size (none )*86( none)*", body_text)
    assert "architecture basic (dense=" in body_text
    assert "epochs" not in body_text
    assert "early_stopping" not in body_text


def test_every_diagram_and_image_says_what_it_shows(results):
    source = made.page(results, NAMES)
    alternatives = [unescape(alt) for alt in re.findall(r'<img [^>]*alt="([^"]*)"', source)]
    assert len(alternatives) == source.count("<img") > 3
    assert any("An image of cat predicted as <b>dog</b>." in alt for alt in alternatives)
    drawings = re.findall(r"<svg ([^>]*)>", source)
    body_text = [re.search(r'role="img" aria-label="([^"]+)"', one) for one in drawings]
    hidden = [one for one in drawings if "aria-hidden" in one]
    # of each variant two strips, two curves, a matrix, its difference but for the baseline, bins
    labels = [one[1] for one in body_text if one]
    assert len(labels) == len(set(labels)) == 3 * 6 + 2
    inner = [one for one in drawings if one.startswith("x=")]
    keys = [one for one in drawings if one.startswith('viewBox="0 0 40')]
    assert len(drawings) == len(labels) + len(hidden) + len(inner) + len(keys)
    assert any(
        one.startswith("Confusion matrix of wide: ") and "hardest class" in one for one in labels
    )
    assert "Confusion matrix of wide minus that of basic." in labels


def test_text_of_users_stays_text(results):
    source = made.page(results, NAMES)
    assert "<script>alert" not in source
    assert "<b>dog" not in source
    assert text(source).count(HOSTILE) == 3


class Checked(HTMLParser):
    """Collects addresses, and what is opened and never closed."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("src", "href", "srcset")]
        if tag not in ("meta", "img", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_is_whole_and_loads_nothing(results):
    source = made.page(results, NAMES)
    checked = Checked()
    checked.feed(source)
    assert checked.open == []
    assert {address.split(",")[0] for address in checked.addresses if address[0] != "#"} == {
        "data:image/jpeg;base64",
        "data:image/png;base64",  # the data card
    }
    for address in checked.addresses:
        assert address[0] != "#" or f'id="{address[1:]}"' in source
    assert not re.search(r"https?://|@import|url\(", source)
    assert "default-src 'none'" in source
    assert re.search(r"<th(?! scope=)[\s>]", source) is None


def test_one_variant_has_no_tests(results):
    body_text = text(made.page(results, ["basic"]))
    assert body_text.startswith("Comparison of 1 variant Comparison of 1 variant basic is the only")
    for word in ("Holm", "verdict", "differ", "McNemar", "repeats needed", "Agreement"):
        assert word not in body_text
    assert "Hardest images" in body_text


def test_variants_without_a_mistake_say_so(results):
    for name in NAMES:
        path = results / "results" / name / "predictions.npz"
        with np.load(path) as stored:
            content = dict(stored)
        content["test_probability"] = np.eye(3, dtype="float32")[content["test_label"]]
        np.savez(path, **content)
    body_text = text(made.page(results, NAMES))
    assert "No variant makes a mistake on the test images." in body_text
    assert body_text.count("no mistake on 30 test images") == 3
    assert "wide : none" in body_text or "wide: none" in body_text
    assert "nan" not in body_text


def test_a_training_that_fell_apart_is_drawn_without_what_is_no_number(results):
    path = results / "results" / "deep" / "history.csv"
    rows = files.read_table(path)
    broken = [row | {"loss": "nan", "val_loss": "nan"} for row in rows]
    files.write_table(path, list(rows[0]), [row.values() for row in broken])
    source = made.page(results, NAMES)
    assert not re.search(r'(d|x|y|width|height|cx|cy)="[^"]*(nan|inf)', source)


def test_same_bytes_twice(results):
    assert made.page(results, NAMES) == made.page(results, NAMES)


def test_200_variants_are_all_in_the_tables_and_the_best_20_in_diagrams(tmp_path):
    names = ["basic", *(f"variant_{number:03}" for number in range(199))]
    made.make(tmp_path, names, train=50, tests=50)
    source = made.page(tmp_path, names)
    assert len(source.encode()) < 2_000_000
    body_text = text(source)
    assert "Charts and images below show 20 of 200 variants" in body_text
    for name in names:
        assert source.count(f'<th scope="row" data-value="{name}">{name}</th>') == 4
    assert "Confusion matrix of basic:" in source  # whatever its rank
    assert source.count("minus that of basic") == 19
    assert source.count('class="scroll tall"') == 5


def test_20_variants_of_100_classes_and_large_images_stay_below_5_mb(tmp_path):
    names = ["basic", *(f"variant_{number:03}" for number in range(19))]
    classes = [f"a long name of the class {number}" for number in range(100)]
    made.make(tmp_path, names, classes=classes, train=200, tests=2_000, shape=(96, 80, 3))
    source = made.page(tmp_path, names)
    assert 500_000 < len(source.encode()) < 5_000_000
    assert source.count("Confusion matrix of ") == 20 + 19


def luminance(colour):
    """Return the relative luminance of (red, green, blue), 0 to 255 (WCAG 2.1)."""
    parts = [part / 255 for part in colour]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def schemes(source):
    """Return the colours of the light and of the dark scheme."""
    found = re.findall(r":root \{(.*?)\}", source, re.S)
    assert len(found) == 2
    pairs = [re.findall(r"--(\w+): #(\w{6});", scheme) for scheme in found]
    return [{name: np.array(list(bytes.fromhex(value))) for name, value in one} for one in pairs]


def test_contrast_is_that_of_readable_text(results):
    for colour in schemes(made.page(results, NAMES)):
        for ground in ("ground", "panel"):
            for ink in ("ink", "muted", "link", "better", "worse"):
                assert contrast(colour[ground], colour[ink]) >= 4.5, (ink, ground)
        for shade in ("warm", "cool"):  # the numbers in the darkest cells
            assert contrast(colour[shade], colour["ink"]) >= 4.5, shade
        for line in ("better", "worse", "muted"):  # lines and marks
            assert contrast(colour["ground"], colour[line]) >= 3
