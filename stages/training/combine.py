"""Combine a variant's folds into out-of-fold probabilities and the choice of models to ship."""

from collections.abc import Sequence

import numpy as np

from stages.training.epoch import loss_and_accuracy
from stages.training.fold import FoldResult


def out_of_fold(records: Sequence[FoldResult], folds: np.ndarray, classes: int) -> np.ndarray:
    """Return float32 (repeats, n, classes); `records` are the folds of all repeats, in order."""
    probability = np.zeros((*folds.shape, classes), np.float32)
    per_repeat = len(records) // len(folds)
    for fold, record in enumerate(records):
        probability[fold // per_repeat, record.validation] = record.probability
    return probability


def refit_epochs(records: Sequence[FoldResult]) -> int:
    """Return the number of epochs for a refit on all images: the folds' mean best epoch."""
    return round(float(np.mean([record.best_epoch for record in records])))


def best_fold(records: Sequence[FoldResult]) -> FoldResult:
    """Return the fold with the highest validation accuracy; ties go to the first."""
    return max(records, key=lambda record: record.at_best_epoch("val_accuracy"))


def averaged(
    probabilities: Sequence[np.ndarray], folds: np.ndarray, labels: np.ndarray
) -> list[FoldResult]:
    """Return an ensemble's folds, scored by the mean of its members' out-of-fold probabilities.

    `probabilities` has each member's `out_of_fold`; `folds`, int16 (repeats, n), and `labels`,
    int64 (n,), are as in `train_fold`. The mean stays out-of-fold, since no member was trained on
    the images that it scores. The history's single row holds validation scores only.
    """
    mean = np.array(probabilities).mean(0, dtype=np.float64).astype(np.float32)
    records = []
    for probability, assigned in zip(mean, folds, strict=True):
        for fold in range(int(folds.max()) + 1):
            (validation,) = np.nonzero(assigned == fold)
            loss, accuracy = loss_and_accuracy(probability[validation], labels[validation])
            records.append(
                FoldResult(
                    history=np.array([[np.nan, np.nan, loss, accuracy, np.nan]]),
                    times=np.zeros((0, 2)),
                    best_epoch=np.array(0),
                    validation=validation,
                    probability=probability[validation],
                    train_images=np.array(len(assigned) - len(validation)),
                    weights=[],
                )
            )
    return records
