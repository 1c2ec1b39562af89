"""Scores of one fold's validation images by each metric of `stages.statistics.metrics`.

`probability` and `label` are as in `stages.statistics.classification`.
"""

from collections.abc import Callable

import numpy as np
from sklearn import metrics

Score = Callable[[np.ndarray, np.ndarray], float]  # of probability and label


def _predicted(score: Callable, **options) -> Score:
    return lambda probability, label: score(label, probability.argmax(axis=1), **options)


def _balanced(probability: np.ndarray, label: np.ndarray) -> float:
    """Return the mean recall of the classes that occur; scikit-learn's warns where one does not."""
    correct = probability.argmax(axis=1) == label
    return float(np.mean([correct[label == one].mean() for one in np.unique(label)]))


def _log_loss(probability: np.ndarray, label: np.ndarray) -> float:
    probability = np.minimum(probability, 1)  # rounding may leave a softmax slightly above
    return -metrics.log_loss(label, probability, labels=range(probability.shape[1]))


def _roc_auc(probability: np.ndarray, label: np.ndarray) -> float:
    """Return the mean over classes of the area under one class's curve against all others.

    A class that no image or every image has is left out. NaN if that leaves no class.
    """
    areas = [
        metrics.roc_auc_score(label == one, probability[:, one])
        for one in np.unique(label).tolist()
        if (label != one).any()
    ]
    return float(np.mean(areas)) if areas else float("nan")


SCORES: dict[str, Score] = {
    "accuracy": _predicted(metrics.accuracy_score),
    "balanced_accuracy": _balanced,
    "macro_f1": _predicted(metrics.f1_score, average="macro", zero_division=0),
    "log_loss": _log_loss,
    "roc_auc": _roc_auc,
}


def of_folds(
    out_of_fold: np.ndarray, label: np.ndarray, folds: np.ndarray
) -> list[dict[str, float]]:
    """Return every metric of each fold, over all repeats in order.

    Args:
        out_of_fold: float (repeats, n, classes), probabilities of each repeat.
        label: int (n,).
        folds: int (repeats, n), the fold in which an image is a validation image.
    """
    found = []
    for probability, fold_of in zip(out_of_fold, folds, strict=True):
        for fold in range(int(fold_of.max()) + 1):
            rows = fold_of == fold
            given = probability[rows], label[rows]
            found.append({name: float(score(*given)) for name, score in SCORES.items()})
    return found
