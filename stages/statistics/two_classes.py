"""Scores that depend on a threshold, for data of two classes. The second class is the positive one.

An image is predicted as positive if its probability of that class is at least the threshold.
Arrays are as in `stages.statistics.classification`.
"""

from typing import Any

import numpy as np
from sklearn import metrics

COLUMNS = ("threshold", "chosen_by", "precision", "recall", "specificity", "f1")
AREAS = ("roc_auc", "average_precision")  # under the two curves
FIXED = (0.1, 0.25, 0.5, 0.75, 0.9)

Row = tuple[float, str, float, float, float, float]


def thresholds(
    oof_probability: np.ndarray,
    oof_label: np.ndarray,
    test_probability: np.ndarray,
    test_label: np.ndarray,
) -> list[Row]:
    """Return rows of COLUMNS, by threshold; none for data of more classes.

    The thresholds are FIXED and those with the best F1 and the best balanced accuracy of
    out-of-fold predictions; `chosen_by` says which. The scores are those of the test images.
    """
    if oof_probability.shape[1] != 2:
        return []
    found = [(threshold, "") for threshold in FIXED]
    found += [(value, name) for name, value in _best(oof_probability[:, 1], oof_label).items()]
    rows: list[Row] = []
    for threshold, chosen_by in sorted(found):
        predicted = test_probability[:, 1] >= threshold
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            test_label, predicted, labels=[0, 1], zero_division=0
        )
        scores = (float(precision[1]), float(recall[1]), float(recall[0]), float(f1[1]))
        rows.append((threshold, chosen_by, *scores))
    return rows


def _best(score: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Return the thresholds of the best scores, each midway to the next lower probability."""
    false, true, value = metrics.roc_curve(label, score, drop_intermediate=False)
    false, true, value = false[1:], true[1:], value[1:].astype(np.float64)  # the first is infinite
    positive, negative = label.sum(), len(label) - label.sum()
    found = true * positive + false * negative  # images predicted as positive
    f1 = 2 * true * positive / (positive + found)
    lower = np.append(value[1:], 0)
    return {
        name: float((value[at] + lower[at]) / 2)
        for name, at in (("F1", f1.argmax()), ("balanced accuracy", (true - false).argmax()))
    }


def curves(probability: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """Return the points of both curves, and the areas: empty unless both of two classes occur.

    Arrays `false_positive_rate` and `true_positive_rate` are the ROC curve, `recall` and
    `precision` the other; AREAS are numbers.
    """
    if probability.shape[1] != 2 or len(np.unique(label)) < 2:
        return {}
    score = probability[:, 1]
    false, true, _ = metrics.roc_curve(label, score)
    precision, recall, _ = metrics.precision_recall_curve(label, score, drop_intermediate=True)
    return {
        "false_positive_rate": false,
        "true_positive_rate": true,
        "recall": recall,
        "precision": precision,
        "roc_auc": metrics.roc_auc_score(label, score),
        "average_precision": metrics.average_precision_score(label, score),
    }
