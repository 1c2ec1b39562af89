import numpy as np
import pytest

from stages.statistics import best
from stages.statistics.paired import bayesian_correlated_t

RANDOM = np.random.default_rng(0)


def test_of_two_variants_it_is_the_bayesian_test_without_a_rope():
    scores = 0.9 + 0.02 * RANDOM.standard_normal((2, 5))
    probability = best.p_best(scores, 5)
    expected = bayesian_correlated_t(scores[0] - scores[1], 5, rope=0.0)["p_better"]
    assert probability[0] == pytest.approx(expected, abs=0.006)  # four standard errors
    assert probability.sum() == pytest.approx(1)


def test_variants_with_the_same_scores_share_their_probability():
    same = np.array([0.95, 0.96, 0.94])
    probability = best.p_best(np.array([same, same - 0.1, same]), 3)
    assert probability == pytest.approx([0.5, 0, 0.5])


def test_a_shift_of_all_scores_changes_nothing():
    scores = RANDOM.random((7, 5))  # more variants than folds
    np.testing.assert_allclose(best.p_best(scores, 5), best.p_best(scores + RANDOM.random(5), 5))


def test_the_probability_is_how_often_the_variant_is_the_best(monkeypatch):
    """Scores are drawn as the correction assumes them: folds correlate as 1 / folds."""
    monkeypatch.setattr(best, "DRAWS", 1000)
    folds, variants, repeats = 5, 4, 1500
    probability, is_best = np.zeros((repeats, variants)), np.zeros((repeats, variants), bool)
    for number in range(repeats):
        expected, shared = RANDOM.standard_normal((2, variants, 1))
        own = RANDOM.standard_normal((variants, folds))
        scores = expected + shared * np.sqrt(1 / folds) + own * np.sqrt(1 - 1 / folds)
        probability[number] = best.p_best(scores, folds)
        is_best[number] = expected[:, 0] == expected.max()
    for low, high in ((0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        within = (probability >= low) & (probability < high)
        assert is_best[within].mean() == pytest.approx(probability[within].mean(), abs=0.07)
