"""Which folds a variant needs, and training those of them that nobody has finished yet."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from stages.training import recovery, workers
from stages.training.artifact import assemble
from stages.training.fold import Record, train_fold
from stages.training.recipe import Recipe


class Arrays(NamedTuple):
    """What all folds of all variants share."""

    images: np.ndarray  # uint8 (n, height, width, channels)
    labels: np.ndarray  # int64 (n,)
    folds: np.ndarray  # int16 (repeats, n): the fold that validates with the image
    classes: int


class Unit(NamedTuple):
    """One fold of one variant, or its training on all images."""

    mark: str  # the fingerprint under which it is kept
    recipe: Recipe
    fold: int | str  # the number over all repeats, or "refit"

    def task(self, arrays: Arrays) -> tuple:
        """Return the arguments of `train_fold`, but for the reporter."""
        images, labels, folds, classes = arrays
        per_repeat = int(folds.max()) + 1
        assigned = None if self.fold == "refit" else folds[self.fold // per_repeat]
        return images, labels, assigned, classes, self.recipe, self.fold


def plan(mark: str, recipe: Recipe, arrays: Arrays) -> list[Unit]:
    """Return a variant's folds, in order."""
    count = (int(arrays.folds.max()) + 1) * len(arrays.folds)
    return [Unit(mark, recipe, fold) for fold in range(count)]


def finish(units: Sequence[Unit], arrays: Arrays, jobs: int | None) -> None:
    """Train, several at a time, those units that are not kept yet, and keep each as it ends."""
    pending = [unit for unit in units if recovery.kept(unit.mark, unit.fold) is None]
    finished = len(units) - len(pending)
    names = ", ".join(dict.fromkeys(unit.recipe.variant for unit in units))
    with tqdm(
        total=sum(unit.recipe.train.epochs for unit in pending),
        desc=names if len(names) <= 30 else f"{len(units)} folds",
        unit="epoch",
        disable=None,  # no bar where nobody watches
    ) as bar:

        def show(name: str, epoch: int, accuracy: float) -> None:
            bar.set_postfix_str(
                f"{finished} of {len(units)} folds done, {name} epoch {epoch}: {accuracy:.2%}"
            )
            bar.update()

        with workers.listening(show) as reporter:
            tasks = [
                (*unit.task(arrays), reporter(f"{unit.recipe.variant} fold {unit.fold}"))
                for unit in pending
            ]
            for position, record in workers.run(train_fold, tasks, jobs):
                unit = pending[position]
                recovery.keep(unit.mark, unit.fold, record)
                finished += 1
                bar.update(unit.recipe.train.epochs - len(record.history))  # saved by stopping


def records(units: Sequence[Unit]) -> list[Record]:
    """Return the kept records of finished units, in their order."""
    return [recovery.kept(unit.mark, unit.fold) for unit in units]


def model(
    mark: str, recipe: Recipe, arrays: Arrays, jobs: int | None, folds: Sequence[Record]
) -> bytes:
    """Return the content of a variant's model file, made as `train.final` says.

    Args:
        mark: the variant's fingerprint.
        recipe: the variant's settings.
        arrays: what the folds were trained on; `refit` trains on all of it once more.
        jobs: worker processes at most.
        folds: the finished folds.
    """
    kept = recovery.kept_model(mark)
    if kept is not None:
        return kept
    if recipe.train.final == "refit":
        epochs = round(float(np.mean([record.best_epoch for record in folds])))
        shorter = recipe.train.model_copy(update={"epochs": epochs})
        unit = Unit(mark, recipe.model_copy(update={"train": shorter}), "refit")
        finish([unit], arrays, jobs)
        folds = records([unit])
    elif recipe.train.final == "best_fold":
        folds = [max(folds, key=lambda record: record.kept("val_accuracy"))]
    members = [record.weights for record in folds]
    task = (recipe, arrays.images.shape[1:], arrays.classes, members)
    ((_, content),) = workers.run(assemble, [task], jobs)
    recovery.keep_model(mark, content)
    return content
