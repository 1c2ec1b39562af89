"""All tests against one baseline; tests/test_compare.py tests the files."""

import numpy as np
import pytest
from scipy.stats import t as student

from stages.statistics.baseline import COLUMNS, against_baseline, outcome, verdict
from stages.statistics.pooled import pooled
from tests.compared import GAIN, TIED


def test_p_is_adjusted_for_the_number_of_variants_and_the_baseline_has_none():
    accuracy = {"better": TIED + GAIN, "basic": TIED, "twin": TIED}
    correct = {name: np.arange(40) >= 4 for name in accuracy}
    better, basic, twin = against_baseline(accuracy, correct, "basic", 5, 0.0005)
    assert tuple(COLUMNS) == tuple(basic) == tuple(better)
    assert (better["p"], better["p_holm"]) == pytest.approx((0.029134, 2 * 0.029134), abs=1e-5)
    assert better["outcome"] == "undecided"
    assert basic["outcome"] == basic["verdict"] == "baseline"
    assert basic["p"] is None
    assert (twin["p"], twin["outcome"], twin["mcnemar_p"]) == (1, "no difference", 1)
    assert better["p_best"] > 0.9
    assert basic["p_best"] == pytest.approx(twin["p_best"], abs=0.006)


def test_several_variants_are_tested_with_pooled_variances():
    accuracy = {"basic": TIED, "one": TIED + GAIN, "other": TIED - GAIN[::-1], "same": TIED}
    correct = dict.fromkeys(accuracy, np.ones(40, bool))
    _, one, other, same = against_baseline(accuracy, correct, "basic", 5, 0.0005)
    value, freedom = pooled(np.full(2, 0.00122), 4)  # the constant difference takes no part
    scale = np.sqrt((1 / 5 + 1 / 4) * value[0])
    assert one["p"] == other["p"] == pytest.approx(2 * student.sf(0.078 / scale, *freedom))
    assert one["p_better"] == pytest.approx(student.sf((0.0005 - 0.078) / scale, *freedom))
    assert same["outcome"] == "no difference"


@pytest.mark.parametrize(
    ("difference", "low", "high", "p_holm", "p_equal", "expected"),
    [
        (0.003, 0.001, 0.005, 0.01, 0.0, "better by 0.30 points (95 % 0.10 to 0.50)"),
        (-0.003, -0.005, -0.001, 0.01, 0.0, "worse by 0.30 points (95 % 0.10 to 0.50)"),
        (0.003, 0.001, 0.005, 0.06, 0.0, "undecided: +0.30 points (95 % 0.10 to 0.50)"),
        (0.001, -0.001, 0.003, 0.30, 0.2, "undecided: +0.10 points (95 % -0.10 to 0.30)"),
        (0.0, -0.0006, 0.0006, 0.90, 0.95, "no difference beyond 0.05 points"),
        (0.0001, -0.0004, 0.0005, 0.60, 0.94, "no difference beyond 0.05 points"),
        (0.0002, 0.0001, 0.0003, 0.001, 1.0, "no difference beyond 0.05 points"),
    ],
)
def test_outcome_and_verdict(difference, low, high, p_holm, p_equal, expected):
    row = {"difference": difference, "ci_low": low, "ci_high": high}
    row |= {"p_holm": p_holm, "p_equal": p_equal}
    row["outcome"] = outcome(row, rope=0.0005)
    assert verdict(row, rope=0.0005) == expected
