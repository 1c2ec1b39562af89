"""All pairs of variants."""

import numpy as np
import pytest

from stages.statistics import paired
from stages.statistics.baseline import against_baseline
from stages.statistics.pairs import COLUMNS, pairs

RANDOM = np.random.default_rng(0)


def scores(count):
    return {f"v{number}": 0.9 + 0.02 * RANDOM.standard_normal(5) for number in range(count)}


@pytest.mark.parametrize("count", [2, 3, 6])
def test_each_pair_is_tested_once_with_the_better_variant_first(count):
    score = scores(count)
    rows = pairs(score, 5, 0.001, "accuracy", 20)
    assert len({frozenset((row["variant"], row["other"])) for row in rows}) == len(rows)
    assert len(rows) == count * (count - 1) // 2
    for row in rows:
        assert {*COLUMNS} <= row.keys()
        gain = score[row["variant"]].mean() - score[row["other"]].mean()
        assert row["difference"] == pytest.approx(gain)
        assert gain >= 0
    assert [row["p_holm"] for row in rows] == paired.holm([row["p"] for row in rows])


def test_of_two_variants_it_is_the_test_against_the_baseline():
    score = scores(2)
    (row,) = pairs(score, 5, 0.001, "accuracy", 20)
    correct = dict.fromkeys(score, np.ones(9, bool))
    other = against_baseline(score, correct, row["other"], 5, 0.001)
    (expected,) = (one for one in other if one["variant"] == row["variant"])
    for key in ("difference", "ci_low", "ci_high", "p", "p_better", "p_holm", "outcome"):
        assert row[key] == expected[key], key


def test_one_variant_has_no_pair():
    assert pairs(scores(1), 5, 0.001, "accuracy", 20) == []
