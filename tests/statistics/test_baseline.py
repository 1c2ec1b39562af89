"""All tests against one baseline; what they do to files is in tests/test_compare.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.statistics.baseline import COLUMNS, against_baseline, verdict

TIED = np.array([0.8, 0.7, 0.8, 0.9, 0.8])
GAIN = np.array([0.08, 0.12, 0.03, 0.10, 0.06])


def rows(**accuracy):
    correct = {name: np.arange(40) >= 4 for name in accuracy}
    return against_baseline(accuracy, correct, "basic", 5, 0.0005)


def test_p_is_adjusted_for_the_number_of_variants_and_the_baseline_has_none():
    first, basic, twin = rows(better=TIED + GAIN, basic=TIED, twin=TIED)
    assert list(COLUMNS) == list(basic)
    assert set(COLUMNS) < set(first)
    assert (first["p"], first["p_holm"]) == pytest.approx((0.029134, 2 * 0.029134), abs=1e-5)
    assert first["outcome"] == "undecided"
    assert basic["outcome"] == basic["verdict"] == "baseline"
    assert basic["p"] is None
    assert (twin["p"], twin["outcome"], twin["mcnemar_p"]) == (1, "no difference", 1)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("better", "better by 1.00 points (95 % 0.50 to 2.00)"),
        ("worse", "worse by -1.00 points (95 % -2.00 to -0.50)"),
        ("undecided", "undecided: +1.00 points (95 % 0.50 to 2.00)"),
        ("no difference", "no difference beyond 0.05 points"),
    ],
)
def test_verdict_in_words(outcome, expected):
    row = {"outcome": outcome, "difference": 0.01, "ci_low": 0.005, "ci_high": 0.02}
    assert verdict(row, 0.0005) == expected


@given(st.data())
def test_chances_are_chances_and_the_correction_only_raises_p(data):
    count = data.draw(st.integers(2, 10))
    names = ["basic", "a", "b", "c"][: data.draw(st.integers(2, 4))]
    scores = st.lists(st.integers(0, 800), min_size=count, max_size=count)
    accuracy = {name: np.array(data.draw(scores)) / 800 for name in names}
    correct = {name: data.draw(arrays(bool, 40)) for name in names}
    rope = data.draw(st.floats(0, 0.1))
    baseline, *others = against_baseline(accuracy, correct, "basic", count, rope)
    assert baseline["outcome"] == "baseline"
    for row in others:
        chances = [row[key] for key in ("p_worse", "p_equal", "p_better")]
        assert sum(chances) == pytest.approx(1)
        for chance in (*chances, row["p"], row["p_holm"], row["mcnemar_p"]):
            assert -1e-9 <= chance <= 1 + 1e-9
        assert row["p_holm"] >= row["p"]
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        difference = accuracy[row["variant"]].mean() - accuracy["basic"].mean()
        assert row["difference"] == pytest.approx(difference, abs=1e-12)
        assert row["outcome"] in ("better", "worse", "no difference", "undecided")
        assert verdict(row, rope).startswith(row["outcome"])
