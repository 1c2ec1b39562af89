"""Plan a variant's folds, train the missing ones, and build its model."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from stages.engine import fold_store, hardware, saved_model, workers
from stages.errors import UserError
from stages.settings.sections import Parallel
from stages.training import combine
from stages.training.export import assemble
from stages.training.fold import FoldResult, train_fold, try_network
from stages.training.recipe import Recipe


class Arrays(NamedTuple):
    """The training data that all folds of all variants share."""

    images: np.ndarray  # uint8 (n, height, width, channels)
    labels: np.ndarray  # int64 (n,)
    folds: np.ndarray  # int16 (repeats, n): the fold in which the image is a validation image
    classes: int


class FoldTask(NamedTuple):
    """One fold of one variant, or a refit on all images."""

    fingerprint: str  # its key in the fold store
    recipe: Recipe
    fold: int | str  # number over all repeats, or "refit"

    @property
    def name(self) -> str:
        """Return a name to display."""
        return f"{self.recipe.variant} fold {self.fold}"

    def arguments(self, arrays: Arrays) -> tuple:
        """Return the arguments of `train_fold`, except the reporter."""
        images, labels, folds, classes = arrays
        per_repeat = int(folds.max()) + 1
        assigned = None if self.fold == "refit" else folds[self.fold // per_repeat]
        return images, labels, assigned, classes, attached(self.recipe), self.fold


def attached(recipe: Recipe) -> Recipe:
    """Return the recipe with the content of its saved model, if any: workers read no files."""
    architecture = saved_model.attached(recipe.variant, recipe.architecture)
    return recipe.model_copy(update={"architecture": architecture})


def variant_tasks(fingerprint: str, recipe: Recipe, arrays: Arrays) -> list[FoldTask]:
    """Return a variant's folds, in order."""
    count = (int(arrays.folds.max()) + 1) * len(arrays.folds)
    return [FoldTask(fingerprint, recipe, fold) for fold in range(count)]


def run_folds(
    tasks: Sequence[FoldTask],
    arrays: Arrays,
    parallel: Parallel,
    leave: bool = True,
    trained: Callable[[str], None] | None = None,
) -> None:
    """Train the missing folds in parallel, and store each one when it finishes.

    Args:
        tasks: folds of one or several variants.
        arrays: the training data.
        parallel: where to train, and how many folds at a time.
        leave: whether the progress bar remains visible at the end.
        trained: callback, run with a fingerprint when its last fold finishes; not for
            fingerprints that were already complete.

    Raises:
        UntrainableError: when a model cannot be built: with several variants before any training,
            with one variant when its first fold starts.
    """
    pending = [task for task in tasks if fold_store.load(task.fingerprint, task.fold) is None]
    hardware.warn({task.recipe.train.precision for task in pending})
    recipes = {task.recipe.variant: task.recipe for task in pending}
    if len(recipes) > 1:
        try_networks(recipes.values(), arrays, parallel)
    finished = len(tasks) - len(pending)
    remaining = Counter(task.fingerprint for task in pending)
    names = ", ".join(dict.fromkeys(task.recipe.variant for task in tasks))
    with tqdm(
        total=sum(task.recipe.train.epochs for task in pending),
        desc=names if len(names) <= 30 else f"{len(tasks)} folds",
        unit="epoch",
        leave=leave,
        disable=None,  # no bar unless stderr is a terminal
    ) as bar:

        def show(name: str, epoch: int, accuracy: float) -> None:
            bar.set_postfix_str(
                f"{finished} of {len(tasks)} folds done, {name} epoch {epoch}: {accuracy:.2%}"
            )
            bar.update()

        with workers.listening(show, parallel) as reporter:
            calls = [(task.name, *task.arguments(arrays), reporter(task.name)) for task in pending]
            for position, record in workers.dispatch(_train, calls, parallel):
                task = pending[position]
                fold_store.save(task.fingerprint, task.fold, record)
                finished += 1
                remaining[task.fingerprint] -= 1
                if trained and not remaining[task.fingerprint]:
                    trained(task.fingerprint)
                if parallel.backend == "local":  # `show` has counted the epochs trained
                    bar.update(task.recipe.train.epochs - len(record.history))
                else:
                    bar.update(task.recipe.train.epochs)


def try_networks(recipes: Iterable[Recipe], arrays: Arrays, parallel: Parallel) -> None:
    """Build each recipe's model and discard it.

    Raises:
        UntrainableError: when one cannot be built; names the variant.
    """
    shape, classes = arrays.images.shape[1:], arrays.classes
    tasks = [(attached(recipe), shape, classes) for recipe in recipes]
    for _ in workers.run(try_network, tasks, parallel.local_jobs):
        pass


def _train(name: str, *task: Any) -> FoldResult:
    """Train a fold; name it in any exception, since a worker's traceback does not."""
    try:
        return train_fold(*task)
    except UserError:  # names the variant already
        raise
    except Exception as error:
        raise RuntimeError(f"{name} failed: {type(error).__name__}: {error}") from error


def records(tasks: Sequence[FoldTask]) -> list[FoldResult]:
    """Return the stored records of finished folds, in order."""
    return [fold_store.load(task.fingerprint, task.fold) for task in tasks]


def out_of_fold(records: Sequence[FoldResult], arrays: Arrays) -> np.ndarray:
    """Return the out-of-fold probabilities of these records, float32 (repeats, n, classes)."""
    return combine.out_of_fold(records, *arrays.folds.shape, arrays.classes)


def model(
    fingerprint: str,
    recipe: Recipe,
    arrays: Arrays,
    parallel: Parallel,
    folds: Sequence[FoldResult],
) -> bytes:
    """Return the content of a variant's model file, built according to `train.final`.

    Args:
        fingerprint: the variant's fingerprint.
        recipe: the variant's settings.
        arrays: the training data; `refit` trains on all of it.
        parallel: where to train, and how many folds at a time.
        folds: the finished folds.
    """
    stored = fold_store.load_model(fingerprint)
    if stored is not None:
        return stored
    if recipe.train.final == "refit":
        shorter = recipe.train.model_copy(update={"epochs": combine.refit_epochs(folds)})
        task = FoldTask(fingerprint, recipe.model_copy(update={"train": shorter}), "refit")
        run_folds([task], arrays, parallel)
        folds = records([task])
    elif recipe.train.final == "best_fold":
        folds = [combine.best_fold(folds)]
    members = [record.weights for record in folds]
    complete = attached(recipe)
    listed = saved_model.listed(complete.architecture, arrays.images)
    task = (complete, arrays.images.shape[1:], arrays.classes, members, listed)
    ((_, content),) = workers.run(assemble, [task], parallel.local_jobs)
    fold_store.save_model(fingerprint, content)
    return content
