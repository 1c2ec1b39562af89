"""The comparison as one HTML page."""

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from stages import files
from stages.report import html

HOSTILE = """<script>alert("1")</script> & 'quotes' {{ 7 * 7 }}"""
CLASSES = ["cat", "<b>dog</b>"]
ADAM = {"name": "adam", "arguments": {"beta_1": 0.9}}
RMSPROP = {"name": "rmsprop", "arguments": {}}
PNG = b"\x89PNG\r\n\x1a\n"
PNG_URL = "data:image/png;base64,iVBORw0KGgo="
PIXEL_URL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def row(variant, cv_mean, **cells):
    return {
        "variant": variant,
        "outcome": "undecided",
        "verdict": "undecided: -1.00 points (95 % -2.00 to 0.00)",
        "cv_mean": cv_mean,
        "cv_std": 0.00123,
        "n": 5,
        "difference": cv_mean - 0.98,
        "ci_low": cv_mean - 0.99,
        "ci_high": cv_mean - 0.97,
        "p_holm": 0.0213,
        "p_better": 0.98765,
        "test_accuracy": 0.8,
        "parameters": 225034,
    } | cells


BASELINE = row("basic", 0.98, outcome="baseline", verdict="baseline")
ROWS = [row("wide", 0.99, parameters=9), BASELINE, row("deep", 0.97, outcome="worse")]


@pytest.fixture
def results(tmp_path):
    """Make the results of three variants; `wide` has hostile names."""
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "comparison.png").write_bytes(PNG)
    for name in ("basic", "wide", "deep"):
        write(tmp_path / name, name)
    return tmp_path


def write(folder, name, picture=PNG):
    (folder / "plots").mkdir(parents=True)
    for kind in html.KINDS:
        (folder / "plots" / f"{kind}.png").write_bytes(picture)
    own = {"batch_size": 86, "optimizer": RMSPROP} if name == "wide" else {}
    train = {"epochs": 5, "batch_size": 32, "optimizer": ADAM, "early_stopping": None} | own
    augmentation = [{"name": "rotate", "arguments": {"degrees": 10}}] if name == "deep" else []
    content = {
        "fingerprint": name.encode().hex(),
        "description": HOSTILE if name == "wide" else "",
        "settings": {"augmentation": augmentation, "train": train},
    }
    files.write_json(folder / "training.json", content)
    scores = {"test": {"expected_calibration_error": 0.02}}
    files.write_json(folder / "metrics.json", scores | {"cv": {"loss": {"mean": 0.1, "std": 0.02}}})
    label = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    predicted = np.array([1, 1, 0, 0, 0, 1, 1, 1, 1, 1])
    probability = np.eye(2, dtype=np.float32)[predicted]
    np.savez(folder / "predictions.npz", test_probability=probability, test_label=label)
    columns = ("class", "precision", "recall", "f1", "support")
    scores = [("cat", 1.0, 0.6, 0.75, 5), (CLASSES[1], 5 / 7, 1.0, 0.8333, 5)]
    files.write_table(folder / "per_class.csv", columns, scores)


def page(results, rows=ROWS):
    dataset = {
        "source": "pets",
        "licence": HOSTILE,
        "classes": CLASSES,
        "image_shape": [8, 9, 3],
        "train": {"images": 40, "per_class": [10, 30]},
        "test": {"images": 10, "per_class": [5, 5]},
        "folds": {"count": 5, "repeats": 1},
        "sha256": "ab" * 32,
    }
    return html.comparison(rows, baseline="basic", dataset=dataset, rope=0.0005, results=results)


def text(source):
    """Return what a person reads."""
    body = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", source)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_says_what_the_files_say(results):
    said = text(page(results))
    assert "No variant is shown to be better than the baseline basic :" in said
    assert "wide undecided 99.00 ± 0.12 +1.00 (0.00 to 2.00) 0.988 0.021 80.00 (49.0 to 94.3)" in (
        said
    )
    assert "basic baseline 98.00 ± 0.12 80.00 (49.0 to 94.3) 225,034" in said
    assert "Classes of wide" in said
    assert "cat 100.0 60.0 75.0 5" in said
    assert "8 × 9 × 3" in said  # noqa: RUF001
    assert "training images 40, 10 to 30 a class" in said
    assert "test images 10, 5 a class" in said
    assert f"wide {b'wide'.hex()}" in said
    assert "dvc repro -f train@wide" in said


def test_settings_are_those_that_differ(results):
    said = text(page(results))
    assert "batch_size 86 32 32" in said
    assert "optimizer rmsprop adam (beta_1=0.9) adam (beta_1=0.9)" in said
    assert "augmentation none none rotate (degrees=10)" in said
    assert "epochs" not in said.split("settings that differ")[1].split("Data source")[0]
    assert "early_stopping" not in said


def test_pictures_say_what_they_show(results):
    source = page(results)
    alternatives = [unescape(alt) for alt in re.findall(r'<img [^>]*alt="([^"]*)"', source)]
    assert len(alternatives) == source.count("<img") == 1 + 3 * len(html.KINDS)
    assert len(set(alternatives)) == len(alternatives)
    assert (
        "Confusion matrix of wide: 2 of 10 test images are wrong; most often cat taken for "
        "<b>dog</b> (2)." in alternatives
    )


def test_text_of_users_stays_text(results):
    source = page(results)
    assert "<script>alert" not in source
    assert "<b>" not in source
    assert text(source).count(HOSTILE) == 2
    assert "49" not in text(source).replace("49.0", "")


class Checked(HTMLParser):
    """Collects addresses, and what is opened and never closed."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("src", "href", "srcset")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_is_whole_and_loads_nothing(results):
    source = page(results)
    checked = Checked()
    checked.feed(source)
    assert checked.open == []
    assert {address.split(",")[0] for address in checked.addresses if address[0] != "#"} == {
        "data:image/png;base64"
    }
    for address in checked.addresses:
        assert address[0] != "#" or f'id="{address[1:]}"' in source
    assert not re.search(r"https?://|@import|url\(", source)
    assert "default-src 'none'" in source
    assert re.search(r"<th(?! scope=)[\s>]", source) is None


def test_one_variant_has_no_tests(results):
    said = text(page(results, [BASELINE]))
    assert said.startswith("Comparison of 1 variant Comparison of 1 variant basic is the only")
    assert "Holm" not in said
    assert "verdict" not in said
    assert "differ" not in said


def test_same_bytes_twice(results):
    assert page(results) == page(results)


def test_200_variants_stay_below_5_mb(results):
    """Pictures of 130 kB: six variants have room for theirs; of 400 kB, two have."""
    names = [f"variant_{number:03}" for number in range(200)]
    for name in names:
        write(results / name, name, bytes(130_000))
    rows = [BASELINE, *(row(name, 0.97) for name in names)]
    source = page(results, rows)
    assert len(source.encode()) < 5_000_000
    assert "Pictures of the 6 best of 201 variants follow" in text(source)
    for name in names:
        for kind in html.KINDS:
            (results / name / "plots" / f"{kind}.png").write_bytes(bytes(400_000))
    source = page(results, rows[1:] + rows[:1])
    assert len(source.encode()) < 5_000_000
    assert "Pictures of the 2 best of 201 variants follow" in text(source)


def test_a_figure_too_large_is_named_instead(results):
    (results / "plots" / "comparison.png").write_bytes(bytes(2_000_000))
    said = text(page(results))
    assert "too large for this page: results/plots/comparison.png" in said


@pytest.mark.parametrize(
    ("file", "stage"), [("plots/curves.png", "plot"), ("per_class.csv", "evaluate")]
)
def test_a_missing_file_names_its_stage(results, file, stage):
    (results / "wide" / file).unlink()
    with pytest.raises(ValueError, match=f"wide/{file} is missing; run `dvc repro {stage}@wide`"):
        page(results)


def luminance(colour):
    """Return the relative luminance of #rrggbb (WCAG 2.1)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_contrast_is_that_of_readable_text(results):
    schemes = re.findall(r":root \{(.*?)\}", page(results), re.S)
    assert len(schemes) == 2
    for scheme in schemes:
        colour = dict(re.findall(r"--(\w+): (#\w{6});", scheme))
        for ground in ("ground", "panel"):
            for ink in ("ink", "muted", "link", "better", "worse"):
                low, high = sorted([luminance(colour[ground]), luminance(colour[ink])])
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


WATCH = """<script>
window.seen = [];
addEventListener("error", event => seen.push("error: " + event.message));
addEventListener("securitypolicyviolation", event => seen.push("blocked: " + event.blockedURI));
for (const kind of ["error", "warn"]) console[kind] = (...words) => seen.push(words.join(" "));
</script>"""
CLICK = """<script>
const table = document.querySelector("table.sortable");
const told = {orders: {}, requests: performance.getEntriesByType("resource")
  .map(entry => entry.name).filter(name => !name.startsWith("data:"))};
[...table.tHead.rows[0].cells].forEach(head => {
  const button = head.querySelector("button");
  const title = button.textContent;
  told.orders[title] = [];
  for (let i = 0; i < 2; i++) {
    button.focus();
    if (document.activeElement === button) button.click();
    const sorted = [...table.querySelectorAll("[aria-sort]")];
    const names = [...table.tBodies[0].rows].map(row => row.cells[0].textContent).join(" ");
    told.orders[title].push(sorted.map(one => one === head && one.ariaSort) + ": " + names);
  }
});
told.seen = seen;
told.wide = document.documentElement.scrollWidth - innerWidth;
document.body.innerHTML = "";
document.body.append(JSON.stringify(told));
</script>"""


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the command chromium")
def test_in_a_browser(results, tmp_path):
    """No error, no request, no page wider than a phone, and every header sorts both ways."""
    source = page(results).replace(PNG_URL, PIXEL_URL)
    source = source.replace("<head>", f"<head>{WATCH}").replace("</body>", f"{CLICK}</body>")
    path = tmp_path / "watched.html"
    path.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,900"),
            *("--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(unescape(re.search(r"<body>(.*)</body>", done.stdout, re.S)[1]))
    assert (found["seen"], found["requests"]) == ([], [])
    assert found["wide"] <= 0
    assert "CONSOLE" not in done.stderr
    assert found["orders"] == {
        "variant": ["ascending: basic deep wide", "descending: wide deep basic"],
        "verdict": ["ascending: basic wide deep", "descending: deep wide basic"],
        "CV accuracy, %": ["descending: wide basic deep", "ascending: deep basic wide"],
        "difference, points": ["descending: wide deep basic", "ascending: deep wide basic"],
        "P(better)": ["descending: deep wide basic", "ascending: deep wide basic"],
        "Holm p": ["descending: deep wide basic", "ascending: deep wide basic"],
        "test accuracy, %": ["descending: deep wide basic", "ascending: deep wide basic"],
        "parameters": ["descending: deep basic wide", "ascending: wide deep basic"],
    }
