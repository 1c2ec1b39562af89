"""From the finished folds of a variant to its out-of-fold scores and the models that it ships."""

from collections.abc import Sequence

import numpy as np

from stages.training.epoch import loss_and_accuracy
from stages.training.fold import Record


def parameters(records: Sequence[Record]) -> int:
    """Return how many parameters one fold's model has."""
    return sum(weights.size for weights in records[0].weights)


def out_of_fold(records: Sequence[Record], repeats: int, images: int, classes: int) -> np.ndarray:
    """Return each image's probabilities by the model that did not see it, one for each repeat.

    Args:
        records: the folds of all repeats, in order.
        repeats: of the cross-validation.
        images: how many there are.
        classes: how many there are.

    Returns:
        float32 (repeats, images, classes).
    """
    probability = np.zeros((repeats, images, classes), np.float32)
    per_repeat = len(records) // repeats
    for fold, record in enumerate(records):
        probability[fold // per_repeat, record.validation] = record.probability
    return probability


def refit_epochs(records: Sequence[Record]) -> int:
    """Return for how many epochs a model of all images is trained: the folds' mean best epoch."""
    return round(float(np.mean([record.best_epoch for record in records])))


def best_fold(records: Sequence[Record]) -> Record:
    """Return the fold of the highest validation accuracy, the first of equals."""
    return max(records, key=lambda record: record.kept("val_accuracy"))


def averaged(
    probabilities: Sequence[np.ndarray], folds: np.ndarray, labels: np.ndarray
) -> list[Record]:
    """Return an ensemble's folds: on each, the mean of its members' out-of-fold probabilities.

    No model of a fold has seen the images that it scores, so neither has their mean. There is no
    epoch: the history's one row holds validation scores only.

    Args:
        probabilities: of each member, float32 (repeats, n, classes).
        folds: int16 (repeats, n), the fold that validates with the image.
        labels: int64 (n,).
    """
    mean = np.mean(probabilities, axis=0, dtype=np.float64)
    found = []
    for probability, assigned in zip(mean.astype(np.float32), folds, strict=True):
        for fold in range(int(folds.max()) + 1):
            (validation,) = np.nonzero(assigned == fold)
            loss, accuracy = loss_and_accuracy(probability[validation], labels[validation])
            found.append(
                Record(
                    history=np.array([[np.nan, np.nan, loss, accuracy, np.nan]]),
                    times=np.zeros((0, 2)),
                    best_epoch=np.array(0),
                    validation=validation,
                    probability=probability[validation],
                    train_images=np.array(len(assigned) - len(validation)),
                    weights=[],
                )
            )
    return found
