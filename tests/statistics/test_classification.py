"""Scores of one classifier, by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.statistics import classification
from tests.statistics.classifiers import CLASSIFIERS

# Six images, three classes. Predictions: 0 0 1 1 1 0, the last a tie of 0 and 2. Class 2 is never
# predicted; it is among the two highest only for the last image.
PROBABILITY = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.5, 0.3, 0.2],
        [0.2, 0.7, 0.1],
        [0.3, 0.6, 0.1],
        [0.3, 0.5, 0.2],
        [0.4, 0.2, 0.4],
    ]
)
LABEL = np.array([0, 1, 1, 0, 2, 2])
UNDEFINED_KAPPA = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
RANGES = {"loss": (0, np.inf), "cohen_kappa": (-1, 1), "brier": (0, 2)}  # others: 0 to 1


def test_summary_by_hand():
    assert classification.summary(PROBABILITY, LABEL) == pytest.approx(
        {
            "accuracy": 2 / 6,
            "loss": -np.log(0.8 * 0.3 * 0.7 * 0.3 * 0.2 * 0.4) / 6,
            "macro_precision": (1 / 3 + 1 / 3 + 0) / 3,
            "macro_recall": (1 / 2 + 1 / 2 + 0) / 3,
            "macro_f1": (2 / 5 + 2 / 5 + 0) / 3,
            "top_2_accuracy": 5 / 6,
            "cohen_kappa": (2 / 6 - 12 / 36) / (1 - 12 / 36),
            "brier": (0.06 + 0.78 + 0.14 + 0.86 + 0.98 + 0.56) / 6,
        }
    )


@UNDEFINED_KAPPA
def test_rounding_above_one_is_no_error():
    probability = np.array([[1.0000001, 0, 0]], np.float32)
    assert probability[0, 0] > 1
    assert classification.summary(probability, np.array([0]))["loss"] < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_certain_mistake_costs_much_but_not_infinity(dtype):
    probability = np.array([[1, 0], [1, 0]], dtype)
    found = classification.summary(probability, np.array([0, 1]))
    assert found["loss"] == pytest.approx(-np.log(np.finfo(dtype).eps) / 2)
    assert found["top_2_accuracy"] == 1  # of two classes


@UNDEFINED_KAPPA
def test_nothing_but_one_class_gives_zeros():
    probability = np.array([[0.9, 0.1, 0.0]] * 3)
    found = classification.summary(probability, np.zeros(3, int))
    assert (found["accuracy"], found["macro_f1"], found["cohen_kappa"]) == (1.0, 1.0, 0.0)
    assert classification.per_class(probability, np.zeros(3, int)) == [
        (0, 1.0, 1.0, 1.0, 3),
        (1, 0.0, 0.0, 0.0, 0),
        (2, 0.0, 0.0, 0.0, 0),
    ]


def test_confusion_matrix_has_actual_classes_as_rows():
    found = classification.confusion_matrix(PROBABILITY, LABEL)
    assert found.tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 0]]


def test_most_confused_pairs_leave_out_correct_ones_and_zeros():
    confusion = np.array([[90, 2, 2], [0, 80, 1], [5, 0, 70]])
    pairs = [(2, 0, 5), (0, 1, 2), (0, 2, 2), (1, 2, 1)]
    for count in (0, 1, 3, 9):
        assert classification.most_confused_pairs(confusion, count) == pairs[:count]


def test_mistakes_come_most_confident_first_and_then_in_order():
    label = np.array([0, 1, 0, 0, 2, 1])
    assert classification.mistakes(PROBABILITY, label) == [
        (2, 0, 1, 0.7),
        (3, 0, 1, 0.6),
        (1, 1, 0, 0.5),
        (4, 2, 1, 0.5),
        (5, 1, 0, 0.4),
    ]
    assert classification.mistakes(np.eye(3), np.arange(3)) == []


@UNDEFINED_KAPPA
@settings(max_examples=30)
@given(CLASSIFIERS, st.randoms(use_true_random=False))
def test_scores_are_in_range_depend_on_no_order_and_agree_with_each_other(classifier, random):
    probability, label = classifier
    classes = probability.shape[1]
    found = classification.summary(probability, label)
    for name, score in found.items():
        low, high = RANGES.get(name, (0, 1))
        assert low - 1e-6 <= score <= high + 1e-6, name
    if np.diff(np.sort(probability, axis=1), axis=1).all():  # ties count for the higher class
        assert found["accuracy"] <= found["top_2_accuracy"]
    order = random.sample(range(len(label)), len(label))
    assert classification.summary(probability[order], label[order]) == pytest.approx(found)
    squared = np.square(probability - np.eye(classes)[label]).sum(axis=1)
    assert found["brier"] == pytest.approx(squared.mean(), rel=1e-5, abs=1e-9)
    confusion = classification.confusion_matrix(probability, label)
    wrong = classification.mistakes(probability, label)
    assert len(wrong) == len(label) - np.trace(confusion)
    pairs = classification.most_confused_pairs(confusion, confusion.size)
    assert sum(images for *_, images in pairs) == len(wrong)
    rows = np.array(classification.per_class(probability, label))
    assert rows[:, 4].tolist() == np.bincount(label, minlength=classes).tolist()
    occurs = (rows[:, 4] > 0) | (confusion.sum(axis=0) > 0)
    macro = [found[f"macro_{key}"] for key in ("precision", "recall", "f1")]
    np.testing.assert_allclose(rows[occurs, 1:4].mean(axis=0), macro)
