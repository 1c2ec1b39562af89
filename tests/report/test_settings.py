"""Settings in words."""

import pytest

from stages.report.settings import differing, formatted, texts

ROTATE = {"name": "rotate", "arguments": {"degrees": 10, "fill": None}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "none"),
        ([], "none"),
        (0.0, "0"),
        (1e-7, "1e-07"),
        (True, "True"),
        ("float32", "float32"),
        ({"name": "adam", "arguments": {}}, "adam"),
        ({"monitor": "val_loss", "patience": 2}, "monitor=val_loss, patience=2"),
        ([ROTATE, {"name": "flip", "arguments": {}}], "rotate (degrees=10, fill=none), flip"),
    ],
)
def test_formatted(value, expected):
    assert formatted(value) == expected


def test_texts_are_flat_and_those_of_an_ensemble_are_only_its_members():
    row = {"augmentation": [], "train": {"epochs": 5}}
    assert texts(row) == {"augmentation": "none", "epochs": "5"}
    assert texts({"ensemble": {"a": row, "b": row}}) == {"ensemble": "a, b"}


def test_differing_keeps_what_is_not_the_same_everywhere():
    a = {"architecture": "x", "train": {"epochs": 5, "seed": 1}}
    b = {"architecture": "x", "train": {"epochs": 6, "seed": 1, "l2": 0.1}}
    assert differing({"a": a, "b": b}) == [("epochs", ["5", "6"]), ("l2", ["none", "0.1"])]
    assert differing({"a": a}) == []
    assert differing({"a": a, "both": {"ensemble": {"a": a, "b": b}}, "b": b}) == [
        ("epochs", ["5", "", "6"]),
        ("ensemble", ["none", "a, b", "none"]),
        ("l2", ["none", "", "0.1"]),
    ]
