"""Training images to look at, on small hand-made results."""

from pathlib import Path

import numpy as np
import pytest

from stages import files
from stages.report import training_images
from stages.report.results import read
from tests.report import made

LABEL = np.tile([0, 1], 20)
pytestmark = pytest.mark.usefixtures("folder")


def prepare(*names):
    folds, images = {"count": 5, "repeats": 1}, np.zeros((40, 4, 4, 1), "uint8")
    made.prepare(Path(), names, [LABEL] * 2, ["zero", "one"], images, folds=folds)


def test_doubtful_labels_are_listed_with_the_variants_that_agree():
    prepare("basic", "other")
    for name, wrong in (("basic", [3]), ("other", [3, 7])):
        predicted = np.where(np.isin(np.arange(40), wrong), 1 - LABEL, LABEL)
        probability = np.eye(2, dtype=np.float32)[predicted]
        made.write(Path("results") / name, [0.8] * 5, [probability] * 2, [LABEL] * 2)
    results = {name: read(name) for name in ("basic", "other")}
    count = training_images.label_issues(results, ["zero", "one"])
    found = files.read_table(Path("results/label_issues.csv"))
    assert len(found) == count
    assert found[0] | {"file": ""} == {
        "row": 3,
        "file": "",
        "given": "one",
        "suggested": "zero",
        "score": 1.0,
        "variants": 2,
    }
    assert Path("results/plots/label_issues.png").stat().st_size


def test_near_duplicates_are_drawn_group_by_group(monkeypatch):
    prepare("basic")
    columns = ("group", "split", "index", "row", "file", "label", "distance")
    table = [(0, "train", 3, 3, "a.png", "01", 0.1), (0, "test", 1, 41, "b.png", "01", 0.1)]
    table += [(group, "train", 0, 0, "c.png", "02", 0) for group in (1, 1, *[2] * 18)]
    files.write_table(Path("data/prepared/near_duplicates.csv"), columns, table)
    shown = []
    monkeypatch.setattr(training_images.style, "save", lambda *one: None)
    draw = lambda *one: shown.append(one)  # noqa: E731
    monkeypatch.setattr(training_images.gallery, "near_duplicates", draw)
    training_images.near_duplicates()
    ((images, found, groups),) = shown
    assert images.shape == (4, 4, 4, 1)  # the third group does not fit
    assert [row["file"] for row in found] == ["a.png", "b.png", "c.png", "c.png"]
    assert [row["label"] for row in found] == ["01", "01", "02", "02"]  # names, not numbers
    assert groups == 3
