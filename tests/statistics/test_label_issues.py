"""Label issues, on probabilities with planted wrong labels."""

import numpy as np
import pytest

from stages.statistics import label_issues


@pytest.fixture
def planted():
    """Return probabilities of three variants, labels, and the rows whose label was changed."""
    random = np.random.default_rng(0)
    true = np.arange(500) % 5
    logits = 4 * np.eye(5)[true] + random.normal(0, 0.5, (3, 500, 5))
    probability = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    changed = random.permutation(500)[:10]
    label = true.copy()
    label[changed] = (true[changed] + 1) % 5
    return probability, label, changed, true


def test_planted_labels_come_first_with_the_true_class(planted):
    probability, label, changed, true = planted
    found = label_issues.find(probability.mean(axis=0), label, probability.argmax(axis=2))
    assert {*label_issues.order(probability.mean(axis=0), label)[:10]} == {*changed}
    assert 5 <= len(found) <= 10
    assert all(one.suggested == true[one.row] for one in found)
    assert all(one.given == label[one.row] and 0 < one.variants <= 3 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_clear_labels_and_uniform_predictions_list_nothing():
    label = np.arange(40) % 4
    for mean in (np.eye(4)[label], np.full((40, 4), 0.25)):
        assert label_issues.find(mean, label, mean.argmax(axis=1)[np.newaxis]) == []


def test_the_list_is_capped():
    label = np.arange(100) % 2
    mean = np.eye(2)[1 - label]
    mean[:60] = np.eye(2)[label[:60]]
    assert len(label_issues.find(mean, label, mean.argmax(axis=1)[np.newaxis])) == 5
