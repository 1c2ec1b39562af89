"""The scores and tables of one variant's predictions, as `evaluate` writes them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.statistics import classification, two_classes
from stages.statistics.metrics import METRICS
from stages.statistics.paired import mean_std

Table = tuple[Sequence[str], list[tuple]]  # columns and rows


class Predictions(NamedTuple):
    """A variant's out-of-fold and test predictions; see `stages.statistics.classification`."""

    oof_probability: np.ndarray
    oof_label: np.ndarray
    test_probability: np.ndarray
    test_label: np.ndarray


def tables(
    predictions: Predictions, classes: Sequence[str], mistakes: Sequence[classification.Mistake]
) -> dict[str, Table]:
    """Return file name -> table; `mistakes` are those of the test predictions."""
    probability, label = predictions.test_probability, predictions.test_label
    per_class = classification.per_class(probability, label)
    pairs = zip(label, probability.argmax(axis=1), strict=True)
    return {
        "per_class.csv": (
            ("class", "precision", "recall", "f1", "support"),
            [(classes[number], *scores) for number, *scores in per_class],
        ),
        "confusion.csv": (
            ("actual", "predicted"),
            [(classes[actual], classes[predicted]) for actual, predicted in pairs],
        ),
        "mistakes.csv": (
            ("index", "actual", "predicted", "confidence"),
            [(index, classes[a], classes[p], confidence) for index, a, p, confidence in mistakes],
        ),
        "thresholds.csv": (two_classes.COLUMNS, [*two_classes.thresholds(*predictions)]),
    }


def metrics(
    predictions: Predictions,
    by_member: np.ndarray,
    folds: Sequence[Mapping[str, Any]],
    fold_scores: Sequence[Mapping[str, float]],
    is_scaled: bool = False,
) -> dict[str, Any]:
    """Return the scores in metrics.json: `cv`, `out_of_fold` and `test`.

    Args:
        predictions: of the final model.
        by_member: the test probabilities of each of its members, float (members, n, classes).
        folds: the rows of folds.csv.
        fold_scores: the same folds' scores, as from `stages.statistics.scores.of_folds`.
        is_scaled: whether a temperature has scaled the out-of-fold probabilities, as it has those
            of the final model, but not the losses in folds.csv.
    """
    probability, label = predictions.test_probability, predictions.test_label
    curves = two_classes.curves(probability, label)
    loss = (
        [-row["log_loss"] for row in fold_scores] if is_scaled else [row["loss"] for row in folds]
    )
    others = {
        key: [row[key] for row in fold_scores]
        for key in METRICS
        if key not in ("accuracy", "log_loss")
    }
    return {
        "cv": {
            "accuracy": mean_std([row["accuracy"] for row in folds]),
            "loss": mean_std(loss),
        }
        # JSON has no NaN, which the area of a fold with one class is.
        | {key: mean_std(values) for key, values in others.items() if np.isfinite(values).all()},
        "out_of_fold": classification.summary(predictions.oof_probability, predictions.oof_label),
        "test": classification.summary(probability, label)
        | {
            "expected_calibration_error": classification.expected_calibration_error(
                probability, label
            ),
            "n": len(label),
            "members_accuracy": mean_std((by_member.argmax(axis=2) == label).mean(axis=1)),
            **{name: float(curves[name]) for name in two_classes.AREAS if curves},
        },
    }
