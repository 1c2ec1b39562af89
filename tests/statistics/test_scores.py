"""Scores by which variants are compared, against scikit-learn's."""

import warnings
from typing import get_args

import numpy as np
import pytest
from sklearn import metrics

from stages.settings.sections import Metric
from stages.statistics.metrics import METRICS
from stages.statistics.scores import SCORES, of_folds

RANDOM = np.random.default_rng(0)
LABEL = RANDOM.permutation(np.repeat([0, 1, 2], [50, 30, 10]))
PROBABILITY = RANDOM.dirichlet(np.ones(3), len(LABEL))
PREDICTED = PROBABILITY.argmax(axis=1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", metrics.accuracy_score(LABEL, PREDICTED)),
        ("balanced_accuracy", metrics.balanced_accuracy_score(LABEL, PREDICTED)),
        ("macro_f1", metrics.f1_score(LABEL, PREDICTED, average="macro")),
        ("log_loss", -metrics.log_loss(LABEL, PROBABILITY)),
        ("roc_auc", metrics.roc_auc_score(LABEL, PROBABILITY, multi_class="ovr")),
    ],
)
def test_a_metric_is_scikit_learns(name, expected):
    assert SCORES[name](PROBABILITY, LABEL) == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_classes_may_be_missing_in_a_fold():
    rows = LABEL != 2
    for score in SCORES.values():
        assert np.isfinite(score(PROBABILITY[rows], LABEL[rows]))
    one = LABEL == 0
    with warnings.catch_warnings(action="error"):
        for score in SCORES.values():
            score(PROBABILITY[one], LABEL[one])
    assert np.isnan(SCORES["roc_auc"](PROBABILITY[one], LABEL[one]))
    assert SCORES["balanced_accuracy"](PROBABILITY[one], LABEL[one]) == pytest.approx(
        (PREDICTED[one] == 0).mean()
    )


def test_each_fold_of_each_repeat_has_its_own_images():
    folds = np.stack([np.arange(90) % 3, np.arange(90) // 30])
    found = of_folds(np.stack([PROBABILITY, PROBABILITY[::-1]]), LABEL, folds)
    assert len(found) == 6
    rows = slice(0, None, 3)
    assert found[0]["accuracy"] == (PREDICTED[rows] == LABEL[rows]).mean()
    assert found[5]["accuracy"] == (PREDICTED[::-1][60:] == LABEL[60:]).mean()
    assert set(found[0]) == set(METRICS)


def test_the_setting_has_these_names():
    assert get_args(Metric) == tuple(METRICS) == tuple(SCORES)
