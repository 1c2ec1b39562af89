"""Train one fold: a pure function of arrays, recipe and fold number that returns a record.

It runs in a worker process that may train many folds. Keras callbacks run between the epochs,
which epoch.py computes.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.augment import views
from stages.errors import UserError
from stages.models import build
from stages.settings.sections import Train
from stages.training import fast_layers, fast_optimizers
from stages.training.epoch import compiled_epoch, loss_and_accuracy, scorer
from stages.training.optimizers import OPTIMIZERS
from stages.training.recipe import Recipe
from stages.training.schedules import SCHEDULES
from stages.training.tf_runtime import import_tensorflow

Shape = tuple[int, ...]  # height, width, channels; or the number of features
HISTORY = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
CURVE_IMAGES = 2000  # validation images to score after an epoch, unless its scores decide something
BETTER = {"val_accuracy": "max", "val_loss": "min"}  # as Keras calls it


class UntrainableError(UserError):
    """Training fails deterministically with these settings."""


class FoldResult(NamedTuple):
    """The result of training one fold, as arrays and one list of arrays, which NumPy can store."""

    history: np.ndarray  # float64 (epochs, 5): the columns of HISTORY
    times: np.ndarray  # float64 (epochs, 2): end of the epoch in s since 1970, its duration in s
    best_epoch: np.ndarray  # int64 (): the selected epoch, from 1; 0 without training
    validation: np.ndarray  # int64 (m,): rows of the validation images
    probability: np.ndarray  # float32 (m, classes): their probabilities after the best epoch
    train_images: np.ndarray  # int64 (): number of training images
    weights: list[np.ndarray]  # after the best epoch, in the order of model.get_weights()

    def at_best_epoch(self, column: str) -> float:
        """Return one column of HISTORY at the best epoch."""
        return float(self.history[int(self.best_epoch) - 1, HISTORY.index(column)])


def derive_seed(*parts: object) -> int:
    """Return a seed in 0..2**31-1 that depends only on `parts`."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def network(
    recipe: Recipe, image_shape: Shape, classes: int, precision: str = "float32", layers: Any = None
):
    """Build a variant's Keras model, as `build` does; an error names the variant.

    Layers compute in `precision`, "float32" or "mixed_bfloat16"; weights are float32. Raises
    UntrainableError when the images are too small.
    """
    import keras

    keras.config.set_dtype_policy(precision)
    try:
        return build(recipe.architecture, image_shape, classes, layers)
    except UserError as error:
        raise UntrainableError(f"variants.{recipe.variant}: {error}") from None
    finally:
        keras.config.set_dtype_policy("float32")  # the process may train other folds


def try_network(recipe: Recipe, image_shape: Shape, classes: int) -> str:
    """Build a variant's model and discard it, to fail early if it cannot be built or saved.

    Returns its configuration, as Keras writes it into a model file: JSON.
    """
    import_tensorflow(recipe.train.kernels)
    import keras

    model = network(recipe, image_shape, classes)
    keras.utils.clear_session()
    try:
        return model.to_json()
    except NotImplementedError:  # for a class without get_config
        raise UntrainableError(
            f"variants.{recipe.variant}: the network has a layer that Keras cannot save; use only "
            "what docs/variants.md lists under 'Write an architecture'."
        ) from None


def train_fold(
    images: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray | None,
    classes: int,
    recipe: Recipe,
    fold: int | str,
    on_epoch: Callable[[int, float], None] | None = None,
    initial: Sequence[np.ndarray] | None = None,
) -> FoldResult:
    """Train one fold; return the best epoch with early stopping, otherwise the last.

    All validation images are scored after the last epoch, those of `curve_rows` after the others.

    With `ema`, validation scores and weights are those of the averaged weights; batch normalization
    statistics, which are moving averages already, are not averaged again. Validation scores come
    from the float32 model that is shipped, regardless of the training `precision`.

    Args:
        images: uint8 (n, height, width, channels), or float32 if shrunk; with a frozen backbone its
            features of them, float32 (n, predict_views + views, d): validation uses the first
            `predict_views`, training the others, or the only one.
        labels: int64 (n,), in 0..classes-1.
        folds: int16 (n,), the fold in which the image is a validation image, or None to train on
            all images without validation.
        fold: its number over all repeats, or another name without `folds`; determines the seed.
        on_epoch: called after each epoch with its number and validation accuracy.
        initial: initial weights in the order of `model.get_weights()`; None: random ones.

    Raises:
        UntrainableError: when a loss is not finite, or the images are too small.
    """
    tf = import_tensorflow(recipe.train.kernels)
    import keras

    keras.utils.clear_session()
    settings = recipe.train
    seed = derive_seed(settings.seed, recipe.variant, fold)
    keras.utils.set_random_seed(seed)

    validates = np.zeros(len(labels), bool)
    if folds is not None:
        validates = folds == int(fold) % (int(folds.max()) + 1)
    training, validation = np.flatnonzero(~validates), np.flatnonzero(validates)

    scored, rows_each = settings.predict_views, 1
    if images.ndim == 4:
        moves = views.transforms(recipe.augmentation, scored, settings.seed, images.shape[1:3])
    else:  # features: those of image i are the rows from i * rows_each
        moves, rows_each = np.empty((0, 8)), images.shape[1]
        images = images.reshape(-1, images.shape[2])
        recipe = recipe.model_copy(update={"augmentation": []})  # the views are augmented already
    row_labels = np.repeat(labels, rows_each)
    shape = images.shape[1:]
    model = network(recipe, shape, classes, settings.precision, fast_layers.layers())
    shipped = model if settings.precision == "float32" else network(recipe, shape, classes)
    if initial is not None:
        model.set_weights(initial)
    optimizer = _optimizer(keras, settings, steps=-(-len(training) // settings.batch_size))
    model.compile(optimizer=optimizer)  # lets Keras' callbacks find the optimizer
    optimizer.build(model.trainable_variables)
    weights = class_weights(labels[training], classes) if settings.class_weight else None
    train_epoch = compiled_epoch(tf, model, optimizer, images, row_labels, classes, recipe, weights)
    score_view = scorer(tf, model, images, shipped)

    def score(numbers: np.ndarray) -> np.ndarray:
        """Return the probabilities of images, (m, classes), as the shipped model has them."""
        if rows_each > 1:
            each = [score_view(numbers * rows_each + view) for view in range(scored)]
        else:
            each = [score_view(numbers), *(score_view(numbers, move) for move in moves)]
        return sum(each[1:], each[0]) / np.float32(len(each))

    of_curve = curve_rows(validation, settings)
    callbacks = _callbacks(keras, settings) if len(validation) else []
    callback_list = keras.callbacks.CallbackList(callbacks, model=model)
    callback_list.on_train_begin()
    history, times = [], []
    unaveraged = None
    for epoch in range(1, settings.epochs + 1):
        started = time.monotonic()  # the system clock may be adjusted during the epoch
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(training).astype(np.int32)
        if rows_each > 1:
            order = order * rows_each + random.integers(scored, rows_each, len(order), np.int32)
        rate = float(optimizer.learning_rate.numpy())
        if unaveraged:  # training continues from these; the average is only for scoring
            for variable, value in zip(model.trainable_variables, unaveraged, strict=True):
                variable.assign(value)
        loss, accuracy = map(float, train_epoch(order, np.array([seed, epoch], np.int32)))
        if settings.ema:
            unaveraged = [variable.numpy() for variable in model.trainable_variables]
            optimizer.finalize_variable_values(model.trainable_variables)
        rows = of_curve if epoch < settings.epochs else validation
        probability = score(rows)
        val_loss, val_accuracy = loss_and_accuracy(probability, labels[rows])
        measured = {"training": loss} | ({"validation": val_loss} if len(validation) else {})
        for kind, value in measured.items():  # the last step alone may make weights infinite
            if not np.isfinite(value):
                raise UntrainableError(
                    f"{recipe.variant} fold {fold} diverged: the {kind} loss of epoch {epoch} is "
                    f"{value}; lower {_rate(recipe)}, and try again."
                )
        history.append((loss, accuracy, val_loss, val_accuracy, rate))
        times.append((time.time(), time.monotonic() - started))
        callback_list.on_epoch_end(epoch - 1, {"val_loss": val_loss, "val_accuracy": val_accuracy})
        if on_epoch:
            on_epoch(epoch, val_accuracy)
        if model.stop_training:
            break
    callback_list.on_train_end()
    stopping = [one for one in callbacks if isinstance(one, keras.callbacks.EarlyStopping)]
    best_epoch = stopping[0].best_epoch + 1 if stopping else len(history)
    return FoldResult(
        history=np.array(history),
        times=np.array(times),
        best_epoch=np.array(best_epoch),
        validation=validation,
        probability=probability if best_epoch == len(history) > 0 else score(validation),
        train_images=np.array(len(training)),
        weights=model.get_weights(),
    )


def curve_rows(validation: np.ndarray, train: Train) -> np.ndarray:
    """Return the validation images, int64 (m,), to score after each epoch but the last.

    These are all of them if the scores influence the training, otherwise CURVE_IMAGES at most,
    drawn at random and the same for all variants.
    """
    if train.watched:
        return validation
    return np.sort(np.random.default_rng(0).permutation(validation)[:CURVE_IMAGES])


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray | None:
    """Return balanced class weights, float32 (classes,), or None if all are 1.

    All classes get the same total, and images a mean of 1. scikit-learn's `compute_class_weight`
    gives the same, but rejects a class without images.
    """
    sizes = np.bincount(labels, minlength=classes)
    if sizes.min() == sizes.max():
        return None
    return (len(labels) / (classes * np.maximum(sizes, 1))).astype(np.float32)


def _rate(recipe: Recipe) -> str:
    """Name the settings that make up the learning rate, with its value."""
    arguments, rate = recipe.architecture.arguments, recipe.train.learning_rate
    if recipe.architecture.name == "backbone" and arguments["freeze"] != "all":
        return f"architecture.backbone.rate or train.learning_rate, whose product is {rate:g}"
    return f"train.learning_rate, now {rate:g}"


def _optimizer(keras, settings, steps: int):
    """Return the optimizer with its schedule, for `steps` steps per epoch."""
    given = keras.optimizers.schedules, settings.learning_rate, steps, settings.epochs
    rate = SCHEDULES[settings.schedule.name](*given, **settings.schedule.arguments)
    optimizer = OPTIMIZERS[settings.optimizer.name](
        fast_optimizers.optimizers(),
        learning_rate=rate,
        global_clipnorm=settings.global_clipnorm,
        use_ema=settings.ema is not None,
        ema_momentum=settings.ema or 0.0,
        **settings.optimizer.arguments,
    )
    fast_optimizers.keep_no_graph(optimizer)
    return optimizer


def _callbacks(keras, settings) -> list:
    """Return new callbacks; they are stateful, so folds must not share them."""
    callbacks = []
    if plateau := settings.reduce_on_plateau:
        arguments = plateau.model_dump()
        arguments |= {"mode": BETTER[plateau.monitor], "min_delta": 0.0}
        arguments["min_lr"] = arguments.pop("min_learning_rate")
        callbacks.append(keras.callbacks.ReduceLROnPlateau(**arguments))
    if stopping := settings.early_stopping:
        arguments = stopping.model_dump()
        arguments |= {"mode": BETTER[stopping.monitor], "restore_best_weights": True}
        callbacks.append(keras.callbacks.EarlyStopping(**arguments))
    return callbacks
