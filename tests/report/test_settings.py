"""Settings in words."""

import pytest

from stages.report.settings import differing, flat, formatted

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


def test_flat_has_no_level_below_train():
    assert flat({"augmentation": [], "train": {"epochs": 5}}) == {
        "augmentation": "none",
        "epochs": "5",
    }


def test_an_ensemble_has_its_members_and_no_other_setting():
    row = {"architecture": "x", "train": {"epochs": 5}}
    both = {"ensemble": {"a": row, "b": row}}
    assert flat(both) == {"ensemble": "a, b"}
    other = {"architecture": "y", "train": {"epochs": 5}}
    assert differing({"a": row, "b": other, "both": both}) == [
        ("architecture", ["x", "y", ""]),
        ("ensemble", ["none", "none", "a, b"]),
    ]


def test_differing_keeps_what_is_not_the_same_everywhere():
    settings = {
        "a": {"architecture": "x", "train": {"epochs": 5, "seed": 1}},
        "b": {"architecture": "x", "train": {"epochs": 6, "seed": 1, "l2": 0.1}},
    }
    assert differing(settings) == [("epochs", ["5", "6"]), ("l2", ["none", "0.1"])]
    assert differing({"a": settings["a"]}) == []
