"""Scores of one classifier and its calibration, by hand."""

import numpy as np
import pytest

from stages.statistics import classification

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


def mistakes(probability, label):
    return classification.mistakes(label, probability.argmax(axis=1), probability.max(axis=1))


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
    bins = classification.reliability_bins(probability, np.array([0]))
    assert bins["count"].tolist() == [0] * 14 + [1]


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


def test_the_hardest_class_is_one_with_images():
    assert classification.hardest_class(np.array([[0, 0, 0], [1, 8, 0], [0, 2, 2]])) == 2
    assert classification.hardest_class(np.array([[1, 1], [1, 1]])) == 0


def test_mistakes_come_most_confident_first_and_then_in_order():
    label = np.array([0, 1, 0, 0, 2, 1])
    assert mistakes(PROBABILITY, label) == [
        (2, 0, 1, 0.7),
        (3, 0, 1, 0.6),
        (1, 1, 0, 0.5),
        (4, 2, 1, 0.5),
        (5, 1, 0, 0.4),
    ]
    assert mistakes(np.eye(3), np.arange(3)) == []


def two_classes(confidence, right):
    """Return probabilities with these confidences for class 0, and labels that make them right."""
    confidence = np.asarray(confidence)
    return np.column_stack([confidence, 1 - confidence]), 1 - np.asarray(right, int)


def test_calibration_by_hand():
    confidence, right = [0.55, 0.6, 0.7, 0.95, 0.97, 1.0], [1, 0, 1, 1, 1, 0]
    classifier = two_classes(confidence, right)
    found = classification.reliability_bins(*classifier)
    filled = [8, 10, 14]  # 0.55 and 0.6, the closed end of the ninth bin; 0.7; the others
    assert np.flatnonzero(found["count"]).tolist() == filled
    assert found["count"][filled].tolist() == [2, 1, 3]
    assert found["confidence"][filled] == pytest.approx([0.575, 0.7, 2.92 / 3])
    assert found["accuracy"][filled] == pytest.approx([0.5, 1, 2 / 3])
    by_hand = (2 * 0.075 + 1 * 0.3 + 3 * (2.92 / 3 - 2 / 3)) / 6
    assert classification.expected_calibration_error(*classifier) == pytest.approx(by_hand)


@pytest.mark.parametrize("sharp", [0.0, 0.5, 3.0, 50.0])  # from ties to certainty
def test_every_image_is_in_the_bin_of_its_confidence(sharp):
    random = np.random.default_rng(0)
    scores = np.exp(sharp * random.integers(-2, 3, (200, 4)))
    probability = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    label = random.integers(0, 4, 200)
    found = classification.reliability_bins(probability, label)
    assert found["count"].sum() == 200
    filled = np.flatnonzero(found["count"])
    middle = (filled + 0.5) / classification.BINS
    assert np.abs(found["confidence"][filled] - middle).max() <= 0.5 / classification.BINS + 1e-5
    right = probability.argmax(axis=1) == label
    gap = abs(probability.max(axis=1).mean(dtype=np.float64) - right.mean())
    # bins can only separate what would cancel out
    assert gap - 1e-6 <= classification.expected_calibration_error(probability, label) <= 1
