"""Folds and differences as strips."""

import re

import numpy as np
import pytest

from stages.report import strips

TIED = np.array([0.8, 0.7, 0.8, 0.9, 0.8])


def points(path):
    """Return the points of a path as pairs of numbers."""
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.replace("h0", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_folds_are_dots_in_order_of_their_scores():
    found = strips.fold_strips(np.array([TIED, TIED + 0.05]))
    first, second = ([x for x, _ in points(row["dots"])] for row in found["rows"])
    assert len(first) == 5
    assert first[1] < first[0] == first[2] < first[3]
    assert all(a < b for a, b in zip(first, second, strict=True))
    low, mean, high = (found["rows"][0][key] for key in ("low", "mean", "high"))
    assert mean == pytest.approx(first[0])
    assert high - mean == pytest.approx(mean - low, abs=0.11)
    ticks = {text: x for x, text in found["ticks"]}
    assert ticks["80"] == pytest.approx(first[0])
    assert all(0 <= x <= strips.WIDE for x in [*first, *second, *ticks.values()])


def test_a_variant_far_off_is_an_arrow():
    near = 0.9 + TIED / 100
    rows = strips.fold_strips(np.array([near, near + 0.001, near - 0.001, near / 9]))["rows"]
    assert [row["edge"] for row in rows] == ["", "", "", "left"]
    assert rows[-1]["dots"] == ""


def test_many_folds_have_no_dots_and_ties_have_room():
    scores = np.tile(TIED, (2, 30))
    assert strips.fold_strips(scores)["rows"][0]["dots"] == ""
    tied = strips.fold_strips(np.full((2, 5), 0.9))
    assert tied["rows"][0]["low"] == tied["rows"][0]["high"]
    assert tied["ticks"]


def test_differences_share_a_scale_with_zero_and_the_band():
    rows = [{"difference": None, "ci_low": None, "ci_high": None}]
    rows += [{"difference": 0.01, "ci_low": -0.01, "ci_high": 0.03}]
    found = strips.difference_strips(rows, 0.005)
    none, strip = found["rows"]
    assert none is None
    assert strip["low"] < found["zero"] < strip["centre"] < strip["high"]
    left, width = found["band"]
    assert left + width / 2 == pytest.approx(found["zero"], abs=0.11)
    assert strip["low"] < left
