"""Train the missing folds of variants in parallel."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
from tqdm import tqdm

from stages.engine import (
    allowed_layers,
    backbones,
    cluster,
    features,
    fold_store,
    hardware,
    saved_model,
    shrunk_images,
    workers,
)
from stages.errors import UserError
from stages.files import read_prepared
from stages.settings.sections import Named, Parallel
from stages.training.fine_tuning import fine_tune
from stages.training.fold import FoldResult, UntrainableError, train_fold, try_network
from stages.training.recipe import Recipe


class Arrays(NamedTuple):
    """The training data that all folds of all variants share."""

    images: np.ndarray  # uint8 (n, height, width, channels)
    labels: np.ndarray  # int64 (n,)
    folds: np.ndarray  # int16 (repeats, n): the fold in which the image is a validation image
    classes: int


def read_training_data(dataset: dict) -> Arrays:
    """Return the prepared training data that `dataset` describes; the images are memory-mapped."""
    images, labels, folds = read_prepared("train_images", "train_labels", "folds")
    return Arrays(images, np.array(labels), np.array(folds), classes=len(dataset["classes"]))


class FoldTask(NamedTuple):
    """One fold of one variant, or a refit on all images."""

    fingerprint: str  # its key in the fold store
    recipe: Recipe
    fold: int | str  # number over all repeats, or "refit"
    rows: np.ndarray | None = None  # to train on, ascending; None: all but the validation images

    def arguments(self, arrays: Arrays) -> tuple:
        """Return the arguments of `train_fold`, except `on_epoch`, with the recipe as it is."""
        images, labels, folds, classes = arrays
        per_repeat = int(folds.max()) + 1
        assigned = folds[self.fold // per_repeat] if isinstance(self.fold, int) else None
        return images, labels, assigned, classes, self.recipe, self.fold


def variant_tasks(fingerprint: str, recipe: Recipe, arrays: Arrays) -> list[FoldTask]:
    """Return a variant's folds, in order."""
    count = (int(arrays.folds.max()) + 1) * len(arrays.folds)
    return [FoldTask(fingerprint, recipe, fold) for fold in range(count)]


def run_folds(
    tasks: Sequence[FoldTask],
    arrays: Arrays,
    parallel: Parallel,
    keep_bar: bool = True,
    on_complete: Callable[[str], None] = lambda fingerprint: None,
) -> None:
    """Train the missing folds in parallel, and store each one when it finishes.

    Args:
        tasks: folds of one or several variants.
        arrays: the training data.
        parallel: where to train, and how many folds at a time.
        keep_bar: whether the progress bar remains visible at the end.
        on_complete: run with a fingerprint when its last fold finishes; not for
            fingerprints that were already complete.

    Raises:
        UntrainableError: when a model cannot be built or saved: with several variants before any
            training, with one variant when its first fold starts.
    """
    pending = [task for task in tasks if fold_store.load(task.fingerprint, task.fold) is None]
    if not pending:
        return
    hardware.warn_if_emulated({task.recipe.train.precision for task in pending})
    by_variant = {task.recipe.variant: task.recipe for task in pending}
    if len(by_variant) > 1:
        try_networks(by_variant.values(), arrays, parallel)
    by_fingerprint = {task.fingerprint: task.recipe for task in pending}
    inputs = _training_inputs(by_fingerprint, arrays, parallel)
    with_models = {key: saved_model.attached(recipe) for key, recipe in by_fingerprint.items()}
    finished = len(tasks) - len(pending)
    remaining = Counter(task.fingerprint for task in pending)
    names = ", ".join(dict.fromkeys(task.recipe.variant for task in tasks))
    with tqdm(
        total=sum(task.recipe.train.epochs for task in pending),
        desc=names if len(names) <= 30 else f"{len(tasks)} folds",
        unit="epoch",
        leave=keep_bar,
        disable=None,  # no bar unless stderr is a terminal
    ) as bar:

        def show(name: str, epoch: int, accuracy: float) -> None:
            done = f"{finished} of {len(tasks)} folds done"
            score = "" if np.isnan(accuracy) else f": {accuracy:.2%}"  # of validation images
            bar.set_postfix_str(f"{done}, {name} epoch {epoch}{score}")
            bar.update()

        is_local = parallel.backend == "local"  # a cluster reports only whole folds
        with workers.listening(show) as report:
            calls = []
            for task in pending:
                images, tuning = inputs[task.fingerprint]
                with_model = task._replace(recipe=with_models[task.fingerprint])
                arguments = with_model.arguments(arrays._replace(images=images))
                calls.append((report if is_local else None, tuning, task.rows, *arguments))
            if is_local:
                results = workers.run(_train, calls, parallel.jobs)
            else:
                kernels = pending[0].recipe.train.kernels  # the same for all variants
                results = cluster.run(_train, calls, parallel, kernels)
            for position, record in results:
                task = pending[position]
                fold_store.save(task.fingerprint, task.fold, record)
                finished += 1
                remaining[task.fingerprint] -= 1
                if not remaining[task.fingerprint]:
                    on_complete(task.fingerprint)
                bar.update(task.recipe.train.epochs - (len(record.history) if is_local else 0))


def try_networks(recipes: Iterable[Recipe], arrays: Arrays, parallel: Parallel) -> None:
    """Build each recipe's model and discard it.

    Raises:
        UntrainableError: when one cannot be built, or has a layer that is not allowed.
    """
    shape, classes = arrays.images.shape[1:], arrays.classes
    tasks = [
        (saved_model.attached(recipe), recipe.image_shape(shape), classes)
        for recipe in recipes
        if not backbones.is_frozen(recipe)  # heads can always be built
    ]
    for _ in workers.run(_try, tasks, parallel.local_jobs):
        pass


def _try(recipe: Recipe, image_shape: tuple[int, ...], classes: int) -> None:
    config = try_network(recipe, image_shape, classes)
    allowed_layers.check_network(config, f"variants.{recipe.variant}.architecture")


def _training_inputs(
    recipes: Mapping[str, Recipe], arrays: Arrays, parallel: Parallel
) -> dict[str, tuple[np.ndarray, tuple | None]]:
    """Return fingerprint -> the array to train on, and what `fine_tune` also takes, if it is used.

    That is the backbone's features of all images, and its weights.
    """
    images = shrunk_images.inputs(recipes, arrays.images)
    inputs = features.inputs(recipes, images, parallel)
    return {
        key: (images[key], (inputs[key], backbones.arrays(recipe)))
        if backbones.has_backbone(recipe) and not backbones.is_frozen(recipe)
        else (inputs[key], None)
        for key, recipe in recipes.items()
    }


def _train(
    report: Callable | None, tuning: tuple | None, rows: np.ndarray | None, *task: Any
) -> FoldResult:
    """Train a fold; progress reports and exceptions name it, since a traceback would not.

    The network is tried before fold 0, unless its layers are all Foldlab's.
    """
    images, *_, classes, recipe, fold = task
    name = f"{recipe.variant} fold {fold}"
    if rows is not None:
        return _train_subset(report, tuning, rows, *task)
    arguments = (*task, partial(report, name) if report else None)
    try:
        if fold == 0 and not backbones.has_backbone(recipe):
            _try(recipe, images.shape[1:], classes)
        return fine_tune(*tuning, *arguments) if tuning else train_fold(*arguments)
    except UserError:  # already names the variant
        raise
    except Exception as error:
        raise RuntimeError(f"{name} failed: {type(error).__name__}: {error}") from error


def _train_subset(
    report: Callable | None, tuning: tuple | None, rows: np.ndarray, *task: Any
) -> FoldResult:
    """Train a fold on some rows only; without weights, since no model is built from it.

    The result equals that of `train_fold`, but validation images are scored once at the end unless
    early stopping or reduction on plateau needs every epoch's score: for 1/8 of the images, scoring
    would take nearly as long as training. The worker holds a copy of the rows and of the validation
    images.
    """
    images, labels, folds, classes, recipe, fold = task
    count, train = int(folds.max()) + 1, recipe.train
    validation = np.flatnonzero(folds == fold % count)
    if at_end := not train.watched:
        kept, assigned = rows, None
    else:
        kept = np.union1d(rows, validation)
        # any other fold; the last one stays, since its number tells how many there are
        other = 0 if fold % count == count - 1 else count - 1
        assigned = np.where(np.isin(kept, validation), fold % count, other)
    if tuning:
        features, backbone = tuning
        tuning = features[kept], backbone
    own = images[kept], labels[kept], assigned
    result = _train(report, tuning, None, *own, classes, recipe, fold)
    if at_end:
        result = result._replace(
            validation=np.arange(len(validation)),
            probability=_scored(images[validation], classes, recipe, result.weights),
        )
        kept = validation
    return result._replace(validation=kept[result.validation], weights=[])


def _scored(
    images: np.ndarray, classes: int, recipe: Recipe, weights: list[np.ndarray]
) -> np.ndarray:
    """Return the probabilities of images, (m, classes), by training for zero epochs."""
    update = {"epochs": 0, "schedule": Named(name="constant")}
    scoring = recipe.model_copy(update={"train": recipe.train.model_copy(update=update)})
    labels = all_in_fold_0 = np.zeros(len(images), np.int64)  # the labels do not matter
    arguments = images, labels, all_in_fold_0, classes, scoring, 0
    probability = train_fold(*arguments, initial=weights).probability
    if not np.isfinite(probability).all():  # weights can become infinite in the last step only
        raise UntrainableError(
            f"{recipe.variant} diverged in its last step; lower train.learning_rate, now "
            f"{recipe.train.learning_rate:g}, and try again."
        )
    return probability


def records(tasks: Sequence[FoldTask]) -> list[FoldResult]:
    """Return the stored records of finished folds, in order."""
    return [cast(FoldResult, fold_store.load(task.fingerprint, task.fold)) for task in tasks]
