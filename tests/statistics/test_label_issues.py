"""Label issues, on probabilities with planted wrong labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.statistics import label_issues
from stages.statistics.label_issues import combined


def probabilities(true, classes, noise=0.5):
    """Return probabilities of three variants that mostly know the true classes."""
    random = np.random.default_rng(0)
    logits = 4 * np.eye(classes)[true] + random.normal(0, noise, (3, len(true), classes))
    return np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)


@pytest.fixture
def planted():
    """Return probabilities of three variants, labels, and the rows whose label was changed."""
    true = np.arange(500) % 5
    changed = np.random.default_rng(1).permutation(500)[:10]
    label = true.copy()
    label[changed] = (true[changed] + 1) % 5
    return probabilities(true, 5), label, changed, true


def test_planted_labels_come_first_with_the_true_class(planted):
    probability, label, changed, true = planted
    found = label_issues.find(combined(probability), label, probability.argmax(axis=2))
    assert {*label_issues.order(combined(probability), label)[:10]} == {*changed}
    assert 5 <= len(found) <= 10
    assert all(one.suggested == true[one.row] for one in found)
    assert all(one.given == label[one.row] and 0 < one.variants <= 3 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_variants_are_combined_by_their_geometric_mean():
    first, second = np.array([[0.9, 0.1], [1, 0]]), np.array([[0.4, 0.6], [0.5, 0.5]])
    found = np.exp(combined(iter([first, second])))
    roots = np.sqrt([0.36, 0.06])
    assert found[0] == pytest.approx(roots / roots.sum())
    assert found[1, 1] == pytest.approx(np.sqrt(label_issues.LEAST), rel=1e-3)  # and not 0
    assert found.sum(axis=1) == pytest.approx(1)


def test_the_odds_are_those_of_bayes_rule():
    """Three of 40 images of class 0 are labelled 1, and a fourth is doubtful."""
    label = np.repeat([0, 1], 40)
    label[:3] = 1
    probability = np.eye(2)[np.repeat([0, 1], 40)] * 0.98 + 0.01
    probability[3] = 0.6, 0.4  # less than the mean of class 0
    label[3] = 1
    probability[30:50] = probability[30:50] * 0.9 + 0.05
    found = label_issues.find(np.log(probability), label, probability.argmax(axis=1)[np.newaxis])
    assert [one.row for one in found] == [0, 1, 2]
    labelled = np.sum(label == 1)
    weight = label_issues.JOINT * labelled / (labelled + label_issues.IMAGES)
    odds = 0.99 / 0.01 * (weight * 3 / labelled + (1 - weight) * 3 / 80)
    assert found[0].score == pytest.approx(odds / (1 + odds))


def test_mistakes_of_a_class_weighted_model_do_not_come_before_wrong_labels():
    """Weighted by class, a model takes many images of a common class for the rare one."""
    label = np.repeat([0, 1], [980, 20])
    probability = np.tile([0.95, 0.05], (1000, 1))
    probability[:150] = 0.35, 0.65
    probability[980:] = 0.4, 0.6
    wrong = np.arange(990, 1000)
    probability[wrong] = 0.9, 0.1
    order = label_issues.order(combined([probability]), label)
    assert {*order[:10]} == {*wrong}


def test_a_kind_of_mistake_that_is_frequent_counts_more():
    """Of two images with equal probabilities, the one with a frequent mistake comes first."""
    true = np.arange(300) % 3
    label, frequent, rare = true.copy(), 0, 1
    label[true == 0] = np.where(np.arange(100) < 8, 2, 0)  # class 0 is labelled 2
    probability = np.eye(3)[true] * 0.9 + 0.1 / 3
    probability[frequent], label[frequent] = (0.6, 0, 0.4), 2
    probability[rare], label[rare] = (0, 0.6, 0.4), 2
    order = label_issues.order(combined([probability]), label).tolist()
    assert order.index(frequent) < order.index(rare)


@given(st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_the_score_is_a_probability_whatever_the_predictions(classes, seed):
    random = np.random.default_rng(seed)
    label = random.integers(0, classes, 60)  # some class may have no image
    probability = random.dirichlet(np.full(classes, 0.1), 60)
    logs = combined([probability])
    found = label_issues.find(logs, label, probability.argmax(axis=1)[np.newaxis])
    assert len(found) <= 3
    assert all(0 <= one.score <= 1 and one.given != one.suggested for one in found)
    assert all(logs[one.row, one.suggested] == logs[one.row].max() for one in found)


def test_clear_labels_and_uniform_predictions_list_nothing():
    label = np.arange(40) % 4
    for mean in (np.eye(4)[label], np.full((40, 4), 0.25)):
        assert label_issues.find(combined([mean]), label, mean.argmax(axis=1)[np.newaxis]) == []


def test_of_few_images_one_may_be_listed():
    label = np.arange(19) % 2
    mean = np.where(np.eye(2)[label] == 1, 0.99, 0.01)
    mean[[1, 3, 5]] = [[0.8, 0.2], [0.01, 0.99], [0.4, 0.6]]
    mean[2] = 0.9, 0.1
    found = label_issues.find(np.log(mean), label, mean.argmax(axis=1)[np.newaxis])
    assert [one.row for one in found] == []
    label[4] = 1
    found = label_issues.find(np.log(mean), label, mean.argmax(axis=1)[np.newaxis])
    assert [one.row for one in found] == [4]


def test_the_list_is_capped():
    label = np.arange(100) % 2
    mean = np.eye(2)[1 - label]
    mean[:60] = np.eye(2)[label[:60]]
    predicted = mean.argmax(axis=1)[np.newaxis]
    assert len(label_issues.find(combined([mean]), label, predicted)) == 5
