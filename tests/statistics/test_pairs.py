"""All pairs of variants."""

import numpy as np
import pytest
from scipy import stats

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


def test_all_pairs_have_no_more_degrees_of_freedom_than_the_scores():
    """Alike variances are pooled to that of the analysis of variance, with its freedom."""
    score = scores(6)
    rows = pairs(score, 5, 0.001, "accuracy", 20)
    assert np.ptp([row["ci_high"] - row["ci_low"] for row in rows]) < 1e-5  # all pooled
    residual = np.array([*score.values()])
    residual -= residual.mean(axis=0) + residual.mean(axis=1, keepdims=True) - residual.mean()
    error = np.sqrt((1 / 5 + 1 / 4) * 2 * (residual**2).sum() / 20)
    half = (rows[0]["ci_high"] - rows[0]["ci_low"]) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 20) * error, rel=0.05)


def test_equal_variants_add_no_degrees_of_freedom():
    score = scores(2)
    alone = pairs(score, 5, 0.001, "accuracy", 20)[0]
    first = next(iter(score))
    for copy in (score[first], score[first] - 0.01):
        rows = pairs(score | {"copy": copy}, 5, 0.001, "accuracy", 20)
        (row,) = (one for one in rows if {one["variant"], one["other"]} == {*score})
        assert row["ci_high"] - row["ci_low"] >= alone["ci_high"] - alone["ci_low"]


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
