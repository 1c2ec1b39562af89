"""Scores of one classifier.

All functions take the same two arrays, in the same order of images:
    probability: float (n, classes), each row sums to 1;
    label: int (n,), the true class of each row, 0 to classes - 1.
The predicted class is the one with the highest probability; the lower number wins a tie. A score
whose denominator is 0 is 0. numpy does all of it: scikit-learn gives the same numbers (the tests
compare), but costs seconds of import.
"""

import numpy as np


def summary(probability: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Return the scores that describe a classifier in one number each.

    Args:
        probability: float (n, classes), n at least 1.
        label: int (n,).

    Returns:
        accuracy and top_2_accuracy: fractions of images whose label has the highest, or one of
            the two highest probabilities;
        loss: mean negative log-likelihood in nats; probabilities below the float type's epsilon
            count as that, so one certain mistake does not make it infinite;
        macro_precision, macro_recall, macro_f1: means over the classes that occur as a label or
            as a prediction;
        cohen_kappa: agreement beyond chance, at most 1 (Cohen 1960);
        brier: mean squared distance between probabilities and truth, 0 to 2 (Brier 1950).
    """
    label = np.asarray(label)
    confusion = confusion_matrix(probability, label)
    precision, recall, f1, support = _by_class(confusion)
    occurs = (support + confusion.sum(axis=0)) > 0
    total = len(label)
    accuracy = float(np.trace(confusion) / total)
    chance = float(support @ confusion.sum(axis=0)) / total**2
    of_label = probability[np.arange(total), label]
    likelihood = np.maximum(of_label, np.finfo(probability.dtype).eps).astype(np.float64)
    top_2 = np.argsort(-probability, axis=1, kind="stable")[:, :2]
    # |p - y|^2 = |p|^2 - 2 p[label] + 1, without an (n, classes) array of truths
    squared = np.square(probability, dtype=np.float64).sum(axis=1)
    return {
        "accuracy": accuracy,
        "loss": float(-np.log(likelihood).mean()),
        "macro_f1": float(f1[occurs].mean()),
        "macro_precision": float(precision[occurs].mean()),
        "macro_recall": float(recall[occurs].mean()),
        "top_2_accuracy": float((top_2 == label[:, None]).any(axis=1).mean()),
        "cohen_kappa": (accuracy - chance) / (1 - chance) if chance < 1 else 0.0,
        "brier": float((squared - 2.0 * of_label + 1.0).mean()),
    }


def per_class(
    probability: np.ndarray, label: np.ndarray
) -> list[tuple[int, float, float, float, int]]:
    """Return one row a class: (class number, precision, recall, F1, number of its images)."""
    columns = [column.tolist() for column in _by_class(confusion_matrix(probability, label))]
    return list(zip(range(probability.shape[1]), *columns, strict=True))


def confusion_matrix(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Count images by actual class (row) and predicted class (column): int64 (classes, classes)."""
    classes = probability.shape[1]
    pairs = np.asarray(label, dtype=np.int64) * classes + probability.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def most_confused_pairs(confusion: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """Return at most `count` mistakes by kind: (actual, predicted, images), most images first.

    Ties come in the order of the class numbers; kinds that never happened are left out.
    """
    mistaken = np.array(confusion)
    np.fill_diagonal(mistaken, 0)
    order = np.argsort(-mistaken, axis=None, kind="stable")[:count]
    actual, predicted = np.unravel_index(order, mistaken.shape)
    images = mistaken[actual, predicted]
    rows = zip(actual.tolist(), predicted.tolist(), images.tolist(), strict=True)
    return [row for row in rows if row[2] > 0]


def mistakes(probability: np.ndarray, label: np.ndarray) -> list[tuple[int, int, int, float]]:
    """Return the wrongly predicted images: (index, actual, predicted, confidence).

    The most confident mistake comes first; ties come in the order of the images.
    """
    label = np.asarray(label)
    predicted = probability.argmax(axis=1)
    confidence = probability.max(axis=1)
    wrong = np.flatnonzero(predicted != label)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    columns = (wrong, label[wrong], predicted[wrong], confidence[wrong])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _by_class(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall, F1 and support of each class."""
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    # max(., 1): where a denominator is 0, so are the hits above it
    precision = hits / np.maximum(predicted, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + predicted, 1)
    return precision, recall, f1, support
