import numpy as np
import pytest

from stages.statistics import best, paired

RANDOM = np.random.default_rng(0)


def test_of_two_variants_it_is_the_bayesian_test_without_a_rope():
    scores = 0.9 + 0.02 * RANDOM.standard_normal((2, 5))
    found = paired.bayesian_correlated_t(scores[1] - scores[0], 5, rope=0.0)
    four_errors = 0.006
    expected = [found["p_worse"], found["p_better"]]
    assert best.p_best(scores, 5) == pytest.approx(expected, abs=four_errors)


def test_a_single_variant_is_the_best():
    assert best.p_best(RANDOM.random((1, 5)), 5) == [1]


def test_variants_with_the_same_scores_share_their_probability():
    same = np.array([0.95, 0.96, 0.94])
    assert best.p_best(np.array([same, same, same]), 3) == pytest.approx([1 / 3] * 3)
    other = same - [0.09, 0.1, 0.11]
    found = best.p_best(np.array([same, other, same]), 3)
    assert found == pytest.approx([0.5, 0, 0.5], abs=0.006)


def test_the_better_mean_has_the_higher_probability_in_any_order():
    scores = 0.9 + np.arange(7)[:, None] / 1000 + 0.01 * RANDOM.standard_normal((7, 5))
    scores += np.arange(7)[:, None] / 1000 - scores.mean(axis=1, keepdims=True)
    found = best.p_best(scores, 5)
    assert np.all(np.diff(found) > 0)
    assert best.p_best(scores[::-1], 5)[::-1] == pytest.approx(found, abs=0.006)


def test_ranks_agree_with_the_probability_of_being_the_best():
    scores = 0.9 + np.arange(5)[:, None] / 300 + 0.01 * RANDOM.standard_normal((5, 5))
    found = best.ranks(scores, 5)
    assert found[:, 0] == pytest.approx(best.p_best(scores, 5), abs=1e-9)
    assert found.sum(axis=0) == pytest.approx(1)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found[-1, 0] == found[:, 0].max()


def test_ranks_of_variants_that_are_certain_or_equal():
    assert best.ranks(np.array([[0.5, 0.5], [0.7, 0.7]]), 2).tolist() == [[0, 1], [1, 0]]
    equal = best.ranks(np.array([[0.5, 0.5], [0.5, 0.5]]), 2, images=10)
    assert equal == pytest.approx(np.full((2, 2), 0.5), abs=0.006)
    assert best.ranks(np.array([[0.5, 0.6]]), 2).tolist() == [[1]]


@pytest.mark.parametrize(("folds", "images"), [(2, 10), (5, 20)])
def test_a_constant_difference_is_as_uncertain_as_in_the_test(folds, images):
    scores = np.repeat([[0.7], [0.8]], folds, axis=1)
    (variance,) = paired.variances(scores[1:] - scores[0], images)
    found = paired.bayesian_correlated_t(scores[1] - scores[0], folds, 0.0, variance)
    expected = [found["p_worse"], found["p_better"]]
    assert best.p_best(scores, folds, images) == pytest.approx(expected, abs=0.006)
    assert best.ranks(scores, folds, images)[:, 0] == pytest.approx(expected, abs=0.006)
    assert best.p_best(scores, folds).tolist() == [0, 1]  # where the images are not known


def test_a_shift_of_all_scores_changes_nothing():
    scores = RANDOM.random((7, 5))
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
