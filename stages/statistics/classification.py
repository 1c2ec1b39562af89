"""Scores of one classifier, by scikit-learn, and its calibration.

Most functions take the same two arrays, in the same order of images:
    probability: float (n, classes), each row sums to 1, n at least 1;
    label: int (n,), the true class of each row, 0 to classes - 1.
The predicted class is the one with the highest probability, which is its confidence; the lower
number wins a tie. A score whose denominator is 0 is 0.

scikit-learn has no expected calibration error (ECE), and its calibration_curve drops empty bins and
does not count images. Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural
Networks", ICML 2017, arXiv:1706.04599, section 2: equation 3 is the ECE.
"""

import numpy as np
from sklearn import metrics

BINS = 15  # of confidence, as in Guo et al.

Mistake = tuple[int, int, int, float]  # index of the image, actual, predicted, confidence


def summary(probability: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Return the scores that describe a classifier in one number each.

    top_2_accuracy: fraction of images whose label has one of the two highest probabilities; if
        classes tie for second place, the one with the higher number counts;
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
    """Return the first class with the lowest recall among those that have images."""
    images = confusion.sum(axis=1)
    return int((np.diag(confusion) / np.maximum(images, 1) + (images == 0)).argmin())


def mistakes(label: np.ndarray, predicted: np.ndarray, confidence: np.ndarray) -> list[Mistake]:
    """Return the wrongly predicted images, the most confident first; ties in their own order.

    Arguments are arrays (n,), where `confidence` is the probability of the predicted class.
    """
    wrong = np.flatnonzero(predicted != label)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    columns = (wrong, label[wrong], predicted[wrong], confidence[wrong])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def reliability_bins(probability: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """Group images by confidence: bin i holds i / BINS < confidence <= (i + 1) / BINS.

    Returns arrays (BINS,): `confidence` and `accuracy`, means over a bin's images (0 for an empty
    bin), and `count`, their number.
    """
    confidence = probability.max(axis=1).astype(np.float64)
    correct = probability.argmax(axis=1) == label
    # clip: rounding may leave a softmax slightly above 1
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    count = np.bincount(number, minlength=BINS)
    return {
        "confidence": np.bincount(number, confidence, minlength=BINS) / np.maximum(count, 1),
        "accuracy": np.bincount(number, correct, minlength=BINS) / np.maximum(count, 1),
        "count": count,
    }


def expected_calibration_error(probability: np.ndarray, label: np.ndarray) -> float:
    """Return the mean gap between confidence and accuracy over the images' bins, 0 to 1.

    At 0.02, confidence is off by 2 points on average.
    """
    bins = reliability_bins(probability, label)
    gap = np.abs(bins["confidence"] - bins["accuracy"])
    return float((gap * bins["count"]).sum() / bins["count"].sum())
