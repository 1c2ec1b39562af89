"""Metrics by which variants can be compared, of one fold's validation images.

`probability` and `label` are as in `stages.statistics.classification`. More is better, so the log
loss is negated for comparisons, as in scikit-learn's `neg_log_loss`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics


class Metric(NamedTuple):
    """How a metric is computed, and how it is written."""

    score: Callable[[np.ndarray, np.ndarray], float]
    label: str  # in tables and figures
    percent: bool = True  # a fraction, written in percent; its differences in points

    @property
    def scale(self) -> int:
        """Return the factor between a value and the number that is written."""
        return 100 if self.percent else 1

    @property
    def digits(self) -> int:
        """Return how many decimals are written."""
        return 2 if self.percent else 4

    @property
    def unit(self) -> str:
        """Return the unit of differences."""
        return "points" if self.percent else "nats"

    @property
    def sign(self) -> str:
        """Return what follows a value."""
        return " %" if self.percent else ""

    @property
    def column(self) -> str:
        """Return the name of a column of values."""
        return f"CV {self.label}{',' * self.percent}{self.sign}"


def _predicted(score: Callable, **options) -> Callable[[np.ndarray, np.ndarray], float]:
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

    Classes without an image, or without another class's, have none. NaN if that is all classes.
    """
    areas = [
        metrics.roc_auc_score(label == one, probability[:, one])
        for one in np.unique(label).tolist()
        if (label != one).any()
    ]
    return float(np.mean(areas)) if areas else float("nan")


METRICS = {
    "accuracy": Metric(_predicted(metrics.accuracy_score), "accuracy"),
    "balanced_accuracy": Metric(_balanced, "balanced accuracy"),
    "macro_f1": Metric(_predicted(metrics.f1_score, average="macro", zero_division=0), "macro F1"),
    "log_loss": Metric(_log_loss, "negative log loss", percent=False),
    "roc_auc": Metric(_roc_auc, "ROC AUC"),
}


def of(row: Mapping[str, Any]) -> Metric:
    """Return the metric of a row of comparison.csv; accuracy where it does not say."""
    return METRICS[row.get("metric") or "accuracy"]


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
            given = probability[rows].astype(np.float64), label[rows]
            found.append({name: float(one.score(*given)) for name, one in METRICS.items()})
    return found
