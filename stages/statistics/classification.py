"""Scores of one classifier, by scikit-learn.

All functions take the same two arrays, in the same order of images:
    probability: float (n, classes), each row sums to 1, n at least 1;
    label: int (n,), the true class of each row, 0 to classes - 1.
The predicted class is the one with the highest probability; the lower number wins a tie. A score
whose denominator is 0 is 0.
"""

import numpy as np
from sklearn import metrics


def summary(probability: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Return the scores that describe a classifier in one number each.

    accuracy and top_2_accuracy: fractions of images whose label has the highest, or one of the two
        highest probabilities; of a tie for second place the higher number counts;
    loss: mean negative log-likelihood in nats; probabilities are clipped by the float type's
        epsilon, so one certain mistake does not make it infinite;
    macro_precision, macro_recall, macro_f1: means over the classes that occur as a label or as a
        prediction;
    cohen_kappa: agreement beyond chance, at most 1 (Cohen 1960);
    brier: mean squared distance between probabilities and truth, 0 to 2 (Brier 1950).
    """
    probability = np.minimum(probability, 1)  # rounding may leave a softmax slightly above
    predicted, classes = probability.argmax(axis=1), range(probability.shape[1])
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        label, predicted, average="macro", zero_division=0
    )
    scores = {
        "accuracy": metrics.accuracy_score(label, predicted),
        "loss": metrics.log_loss(label, probability, labels=classes),
        "macro_f1": f1,
        "macro_precision": precision,
        "macro_recall": recall,
        "top_2_accuracy": metrics.top_k_accuracy_score(label, probability, k=2, labels=classes)
        if len(classes) > 2
        else 1.0,
        "cohen_kappa": metrics.cohen_kappa_score(
            label, predicted, labels=classes, replace_undefined_by=0.0
        ),
        "brier": metrics.brier_score_loss(label, probability, labels=classes, scale_by_half=False),
    }
    return {name: float(score) for name, score in scores.items()}


def per_class(
    probability: np.ndarray, label: np.ndarray
) -> list[tuple[int, float, float, float, int]]:
    """Return one row per class: (class number, precision, recall, F1, number of its images)."""
    classes = range(probability.shape[1])
    columns = metrics.precision_recall_fscore_support(
        label, probability.argmax(axis=1), labels=classes, zero_division=0
    )
    return list(zip(classes, *(column.tolist() for column in columns), strict=True))


def confusion_matrix(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Count images by actual class (row) and predicted class (column): int64 (classes, classes)."""
    classes = range(probability.shape[1])
    return metrics.confusion_matrix(label, probability.argmax(axis=1), labels=classes)


def most_confused_pairs(confusion: np.ndarray, count: int) -> list[tuple[int, int, float]]:
    """Return at most `count` confused pairs: (actual, predicted, value), the largest value first.

    Ties are in the order of the class numbers; pairs of 0 are left out.
    """
    pairs = np.argwhere(confusion - np.diag(np.diag(confusion))).tolist()
    found = [(*pair, confusion[*pair].item()) for pair in pairs]
    return sorted(found, key=lambda pair: -pair[2])[:count]


def hardest_class(confusion: np.ndarray) -> int:
    """Return the first class with the lowest recall, of those that have images."""
    images = confusion.sum(axis=1)
    return int((np.diag(confusion) / np.maximum(images, 1) + (images == 0)).argmin())


def mistakes(
    label: np.ndarray, predicted: np.ndarray, confidence: np.ndarray
) -> list[tuple[int, int, int, float]]:
    """Return the wrongly predicted images: (index, actual, predicted, confidence).

    The most confident mistake comes first; ties are in the order of the images. Arguments are
    arrays (n,), where `confidence` is the probability of the predicted class.
    """
    wrong = np.flatnonzero(predicted != label)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    columns = (wrong, label[wrong], predicted[wrong], confidence[wrong])
    return list(zip(*(column.tolist() for column in columns), strict=True))
