"""Which folds a variant needs, and training those of them that nobody has finished yet."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from stages.engine import fold_store, hardware, saved_model, workers
from stages.errors import UserError
from stages.sections import Parallel
from stages.training import combine
from stages.training.artifact import assemble
from stages.training.fold import Record, train_fold, try_network
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

    @property
    def name(self) -> str:
        """Return what to call it before a person."""
        return f"{self.recipe.variant} fold {self.fold}"

    def task(self, arrays: Arrays) -> tuple:
        """Return the arguments of `train_fold`, but for the reporter."""
        images, labels, folds, classes = arrays
        per_repeat = int(folds.max()) + 1
        assigned = None if self.fold == "refit" else folds[self.fold // per_repeat]
        return images, labels, assigned, classes, attached(self.recipe), self.fold


def attached(recipe: Recipe) -> Recipe:
    """Return the recipe with the saved model that it may start from: workers read no file."""
    architecture = saved_model.attached(recipe.variant, recipe.architecture)
    return recipe.model_copy(update={"architecture": architecture})


def plan(mark: str, recipe: Recipe, arrays: Arrays) -> list[Unit]:
    """Return a variant's folds, in order."""
    count = (int(arrays.folds.max()) + 1) * len(arrays.folds)
    return [Unit(mark, recipe, fold) for fold in range(count)]


def finish(
    units: Sequence[Unit],
    arrays: Arrays,
    parallel: Parallel,
    leave: bool = True,
    trained: Callable[[str], None] | None = None,
) -> None:
    """Train, several at a time, those units that are not kept yet, and keep each as it ends.

    Args:
        units: folds of one variant or of several.
        arrays: what they are trained on.
        parallel: where and how many at a time.
        leave: whether the progress bar stays when all is done.
        trained: called with a fingerprint when the last of its units is kept, but not where all
            were kept before; others may still be training.

    Raises:
        UntrainableError: before any is trained, when the model of one of several variants cannot be
            built; a single variant finds that out as its first fold begins.
    """
    pending = [unit for unit in units if fold_store.load(unit.mark, unit.fold) is None]
    hardware.warn({unit.recipe.train.precision for unit in pending})
    recipes = {unit.recipe.variant: unit.recipe for unit in pending}
    if len(recipes) > 1:
        try_networks(recipes.values(), arrays, parallel)
    finished = len(units) - len(pending)
    left = Counter(unit.mark for unit in pending)
    names = ", ".join(dict.fromkeys(unit.recipe.variant for unit in units))
    with tqdm(
        total=sum(unit.recipe.train.epochs for unit in pending),
        desc=names if len(names) <= 30 else f"{len(units)} folds",
        unit="epoch",
        leave=leave,
        disable=None,  # no bar where nobody watches
    ) as bar:

        def show(name: str, epoch: int, accuracy: float) -> None:
            bar.set_postfix_str(
                f"{finished} of {len(units)} folds done, {name} epoch {epoch}: {accuracy:.2%}"
            )
            bar.update()

        with workers.listening(show, parallel) as reporter:
            tasks = [(unit.name, *unit.task(arrays), reporter(unit.name)) for unit in pending]
            for position, record in workers.spread(_train, tasks, parallel):
                unit = pending[position]
                fold_store.save(unit.mark, unit.fold, record)
                finished += 1
                left[unit.mark] -= 1
                if trained and not left[unit.mark]:
                    trained(unit.mark)
                if parallel.backend == "local":  # the others are shown already
                    bar.update(unit.recipe.train.epochs - len(record.history))
                else:
                    bar.update(unit.recipe.train.epochs)


def try_networks(recipes: Iterable[Recipe], arrays: Arrays, parallel: Parallel) -> None:
    """Build each recipe's model and drop it.

    Raises:
        UntrainableError: for one that cannot be built; names the variant.
    """
    shape, classes = arrays.images.shape[1:], arrays.classes
    tasks = [(attached(recipe), shape, classes) for recipe in recipes]
    for _ in workers.run(try_network, tasks, parallel.local_jobs):
        pass


def _train(name: str, *task: Any) -> Record:
    """Train a fold; what fails says which fold it was, as a worker's traceback does not."""
    try:
        return train_fold(*task)
    except UserError:  # it names the variant
        raise
    except Exception as error:
        raise RuntimeError(f"{name} failed: {type(error).__name__}: {error}") from error


def records(units: Sequence[Unit]) -> list[Record]:
    """Return the kept records of finished units, in their order."""
    return [fold_store.load(unit.mark, unit.fold) for unit in units]


def out_of_fold(records: Sequence[Record], arrays: Arrays) -> np.ndarray:
    """Return `combine.out_of_fold` of these records: float32 (repeats, n, classes)."""
    return combine.out_of_fold(records, *arrays.folds.shape, arrays.classes)


def model(
    mark: str, recipe: Recipe, arrays: Arrays, parallel: Parallel, folds: Sequence[Record]
) -> bytes:
    """Return the content of a variant's model file, made as `train.final` says.

    Args:
        mark: the variant's fingerprint.
        recipe: the variant's settings.
        arrays: what the folds were trained on; `refit` trains on all of it once more.
        parallel: where and how many at a time.
        folds: the finished folds.
    """
    kept = fold_store.load_model(mark)
    if kept is not None:
        return kept
    if recipe.train.final == "refit":
        shorter = recipe.train.model_copy(update={"epochs": combine.refit_epochs(folds)})
        unit = Unit(mark, recipe.model_copy(update={"train": shorter}), "refit")
        finish([unit], arrays, parallel)
        folds = records([unit])
    elif recipe.train.final == "best_fold":
        folds = [combine.best_fold(folds)]
    members = [record.weights for record in folds]
    complete = attached(recipe)
    listed = saved_model.listed(complete.architecture, arrays.images)
    task = (complete, arrays.images.shape[1:], arrays.classes, members, listed)
    ((_, content),) = workers.run(assemble, [task], parallel.local_jobs)
    fold_store.save_model(mark, content)
    return content
