"""Scores of one classifier: by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.scoring import classification
from tests.scoring.classifiers import CLASSIFIERS

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
RANGES = {"loss": (0, np.inf), "cohen_kappa": (-1, 1), "brier": (0, 2)}  # others: 0 to 1


def random_classifier(images, classes, seed=0, dtype=np.float32):
    generator = np.random.default_rng(seed)
    label = generator.integers(0, classes, images)
    score = generator.random((images, classes))
    score[np.arange(images), label] += 0.4
    return (score / score.sum(axis=1, keepdims=True)).astype(dtype), label


def test_summary_by_hand():
    found = classification.summary(PROBABILITY, LABEL)
    assert found == pytest.approx(
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


@pytest.mark.parametrize(("classes", "dtype"), [(2, np.float64), (10, np.float32), (100, float)])
@pytest.mark.filterwarnings("ignore")  # scikit-learn on float32 rows that sum to 1 but for rounding
def test_summary_equals_scikit_learn(classes, dtype):
    from sklearn import metrics

    probability, label = random_classifier(300, classes, dtype=dtype)
    predicted = probability.argmax(axis=1)
    everything = list(range(classes))
    macro = {"average": "macro", "zero_division": 0}
    top_2 = (
        metrics.top_k_accuracy_score(label, probability, k=2, labels=everything)
        if (classes > 2)
        else 1.0
    )
    assert classification.summary(probability, label) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(label, predicted),
            "loss": metrics.log_loss(label, probability, labels=everything),
            "macro_precision": metrics.precision_score(label, predicted, **macro),
            "macro_recall": metrics.recall_score(label, predicted, **macro),
            "macro_f1": metrics.f1_score(label, predicted, **macro),
            "top_2_accuracy": top_2,
            "cohen_kappa": metrics.cohen_kappa_score(label, predicted),
            "brier": np.square(probability - np.eye(classes)[label]).sum(axis=1).mean(),
        },
        rel=1e-5,
    )
    np.testing.assert_array_equal(
        classification.confusion_matrix(probability, label),
        metrics.confusion_matrix(label, predicted, labels=everything),
    )
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        label, predicted, labels=everything, zero_division=0
    )
    np.testing.assert_allclose(
        classification.per_class(probability, label),
        np.column_stack([everything, precision, recall, f1, support]),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_certain_mistake_costs_much_but_not_infinity(dtype):
    probability = np.array([[1, 0], [1, 0]], dtype)
    loss = classification.summary(probability, np.array([0, 1]))["loss"]
    assert loss == pytest.approx(-np.log(np.finfo(dtype).eps) / 2)


def test_nothing_but_one_class_gives_zeros_and_no_warning(recwarn):
    probability = np.array([[0.9, 0.1, 0.0]] * 3)
    found = classification.summary(probability, np.zeros(3, int))
    assert (found["accuracy"], found["macro_f1"], found["cohen_kappa"]) == (1.0, 1.0, 0.0)
    assert classification.per_class(probability, np.zeros(3, int)) == [
        (0, 1.0, 1.0, 1.0, 3),
        (1, 0.0, 0.0, 0.0, 0),
        (2, 0.0, 0.0, 0.0, 0),
    ]
    assert not recwarn.list


def test_confusion_matrix_has_actual_classes_as_rows():
    found = classification.confusion_matrix(PROBABILITY, LABEL)
    assert found.tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [(2, 0, 5)]),
        (3, [(2, 0, 5), (0, 1, 2), (0, 2, 2)]),
        (9, [(2, 0, 5), (0, 1, 2), (0, 2, 2), (1, 2, 1)]),
        (0, []),
    ],
)
def test_most_confused_pairs_leave_out_hits_and_what_never_happened(count, expected):
    confusion = np.array([[90, 2, 2], [0, 80, 1], [5, 0, 70]])
    assert classification.most_confused_pairs(confusion, count) == expected
    assert confusion[0, 0] == 90  # the argument stays as it was


def test_mistakes_come_most_confident_first_and_then_in_order():
    label = np.array([0, 1, 0, 0, 2, 1])
    assert classification.mistakes(PROBABILITY, label) == [
        (2, 0, 1, 0.7),
        (3, 0, 1, 0.6),
        (1, 1, 0, 0.5),
        (4, 2, 1, 0.5),
        (5, 1, 0, 0.4),
    ]


def test_no_mistakes_is_an_empty_list():
    assert classification.mistakes(np.eye(3), np.arange(3)) == []


@given(CLASSIFIERS, st.randoms(use_true_random=False))
def test_scores_are_in_range_and_depend_on_no_order(classifier, random):
    probability, label = classifier
    found = classification.summary(probability, label)
    for name, score in found.items():
        low, high = RANGES.get(name, (0, 1))
        assert low - 1e-6 <= score <= high + 1e-6, name
    assert found["accuracy"] <= found["top_2_accuracy"]
    order = random.sample(range(len(label)), len(label))
    assert classification.summary(probability[order], label[order]) == pytest.approx(found)
    confusion = classification.confusion_matrix(probability, label)
    wrong = classification.mistakes(probability, label)
    assert len(wrong) == len(label) - np.trace(confusion)
    pairs = classification.most_confused_pairs(confusion, confusion.size)
    assert sum(images for *_, images in pairs) == len(wrong)
    assert [row[4] for row in classification.per_class(probability, label)] == (
        np.bincount(label, minlength=probability.shape[1]).tolist()
    )
