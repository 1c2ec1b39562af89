"""One fold: a pure function of arrays, recipe and fold number that returns a record.

It runs in a worker process that may serve many folds, writes no file and knows no tracker. An
epoch is one compiled loop over images that stay in memory as uint8; Keras' own callbacks run
between epochs.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from stages.augment import augmenter
from stages.models import build
from stages.training.optimizers import OPTIMIZERS
from stages.training.recipe import Recipe
from stages.training.schedules import SCHEDULES

HISTORY = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
BETTER = {"val_accuracy": "max", "val_loss": "min"}
SCORING_BATCH = 500  # images at once where nothing is learned; more gains nothing on a CPU


class Record(NamedTuple):
    """What training one fold leaves behind; every field is an array, so NumPy can store it."""

    history: np.ndarray  # float64 (epochs, 5): the columns of HISTORY
    times: np.ndarray  # float64 (epochs, 2): end of the epoch in s since 1970, its length in s
    best_epoch: np.ndarray  # int64 (): the kept epoch, counted from 1
    validation: np.ndarray  # int64 (m,): rows of the validation images
    probability: np.ndarray  # float32 (m, classes): the kept epoch's scores of these
    train_images: np.ndarray  # int64 (): how many images were trained on
    weights: list[np.ndarray]  # the kept epoch's, in the order of model.get_weights()

    def kept(self, column: str) -> float:
        """Return one column of HISTORY at the kept epoch."""
        return float(self.history[int(self.best_epoch) - 1, HISTORY.index(column)])


def derive_seed(*parts: object) -> int:
    """Return a seed in 0..2**31-1 that depends on nothing but `parts`."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


def import_tensorflow():
    """Return TensorFlow, told to use one thread and the same kernels in the same order each time.

    Folds share the cores by running side by side. One thread a fold also fixes the order of
    every sum, so the number of workers cannot change a result.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[threads] = "1"  # read when TensorFlow computes for the first time
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # on some processors it is off by itself
    with _stderr_silent():
        import keras  # noqa: F401 - prints the same
        import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    return tf


@contextmanager
def _stderr_silent() -> Iterator[None]:
    """Keep TensorFlow's library from telling every worker's user that there is no GPU."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def train_fold(
    images: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray | None,
    classes: int,
    recipe: Recipe,
    fold: int | str,
    on_epoch: Callable[[int, float], None] | None = None,
) -> Record:
    """Train one fold of a variant.

    Args:
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), in 0..classes-1.
        folds: int16 (n,): the fold that validates with the image. None trains on all images and
            validates on none; there is then no best epoch but the last.
        classes: number of classes.
        recipe: the variant's settings.
        fold: the fold's number, over all repeats, or another name; it enters the seed.
        on_epoch: called after each epoch with its number and validation accuracy.

    Raises:
        ValueError: when the training loss is no longer a number.

    Returns:
        The record. Without early stopping the last epoch is kept, with it the best one. With
        `ema`, validation scores and kept weights are those of the average; the statistics of
        batch normalisation, which are averages already, stay as they are.
    """
    tf = import_tensorflow()
    import keras

    keras.utils.clear_session()
    settings = recipe.train
    seed = derive_seed(settings.seed, recipe.variant, fold)
    keras.utils.set_random_seed(seed)

    everything = np.arange(len(labels))
    number = fold % (int(folds.max()) + 1) if folds is not None else None
    training = everything if folds is None else everything[folds != number]
    validation = everything[:0] if folds is None else everything[folds == number]

    steps = -(-len(training) // settings.batch_size)
    model = build(recipe.architecture, images.shape[1:], classes)
    rate = SCHEDULES[settings.schedule.name](
        keras.optimizers.schedules,
        settings.learning_rate,
        steps,
        settings.epochs,
        **settings.schedule.arguments,
    )
    optimizer = OPTIMIZERS[settings.optimizer.name](
        keras.optimizers, rate, **settings.optimizer.arguments, **_shared(settings)
    )
    model.compile(optimizer=optimizer)  # lets Keras' callbacks find the optimizer
    optimizer.build(model.trainable_variables)
    train_epoch = _train_epoch(tf, model, optimizer, images, labels, classes, recipe)
    score = _scorer(tf, model, images)

    callbacks = _callbacks(keras, settings) if len(validation) else []
    callback_list = keras.callbacks.CallbackList(callbacks, model=model)
    callback_list.on_train_begin()
    history, times = [], []
    unaveraged = None
    for epoch in range(1, settings.epochs + 1):
        started = time.time()
        order = np.random.default_rng([seed, epoch]).permutation(training).astype(np.int32)
        rate = float(optimizer.learning_rate.numpy())
        if unaveraged:  # training goes on from these; the average was only scored
            for variable, value in zip(model.trainable_variables, unaveraged, strict=True):
                variable.assign(value)
        loss, accuracy = (float(value) for value in train_epoch(order, np.int32([seed, epoch])))
        if settings.ema:
            unaveraged = [variable.numpy() for variable in model.trainable_variables]
            optimizer.finalize_variable_values(model.trainable_variables)
        val_loss, val_accuracy = _loss_and_accuracy(score(validation), labels[validation])
        if not np.isfinite(loss):
            raise ValueError(
                f"{recipe.variant} fold {fold} diverged: the training loss of epoch {epoch} is "
                f"{loss}; lower train.learning_rate, now {settings.learning_rate:g}, and run again."
            )
        history.append((loss, accuracy, val_loss, val_accuracy, rate))
        times.append((time.time(), time.time() - started))
        callback_list.on_epoch_end(epoch - 1, {"val_loss": val_loss, "val_accuracy": val_accuracy})
        if on_epoch:
            on_epoch(epoch, val_accuracy)
        if model.stop_training:
            break
    callback_list.on_train_end()
    stopping = [call for call in callbacks if isinstance(call, keras.callbacks.EarlyStopping)]
    return Record(
        history=np.array(history),
        times=np.array(times),
        best_epoch=np.array(stopping[0].best_epoch + 1 if stopping else len(history)),
        validation=validation,
        probability=score(validation),
        train_images=np.array(len(training)),
        weights=model.get_weights(),
    )


def _shared(settings) -> dict:
    """Return the arguments that every Keras optimizer takes, where they are set."""
    shared = {}
    if settings.clip_norm:
        shared["global_clipnorm"] = settings.clip_norm
    if settings.ema:
        shared |= {"use_ema": True, "ema_momentum": settings.ema}
    return shared


def _train_epoch(tf, model, optimizer, images, labels, classes, recipe) -> Callable:
    """Return the compiled epoch: (order int32 (n,), seed int32 (2,)) -> mean loss, accuracy."""
    settings = recipe.train
    augment = augmenter(recipe.augmentation)
    all_images, all_labels = tf.constant(images), tf.constant(labels, tf.int32)
    kernels = [v for v in model.trainable_variables if len(v.shape) > 1] if settings.l2 else []

    @tf.function
    def train_epoch(order, seed):
        count = tf.shape(order)[0]
        loss_sum, correct = tf.constant(0.0), tf.constant(0.0)
        # The last batch may be a part-batch; every image is seen once an epoch.
        for start in tf.range(0, count, settings.batch_size):
            rows = order[start : start + settings.batch_size]
            batch = tf.cast(tf.gather(all_images, rows), tf.float32)
            target = tf.one_hot(tf.gather(all_labels, rows), classes)
            batch, target = augment(batch, target, seed + tf.stack([0, start * 1000]))
            smoothed = target * (1 - settings.label_smoothing) + settings.label_smoothing / classes
            with tf.GradientTape() as tape:
                logits = model(batch, training=True)
                losses = tf.nn.softmax_cross_entropy_with_logits(smoothed, logits)
                loss = tf.reduce_mean(losses)
                for kernel in kernels:
                    loss += settings.l2 * tf.reduce_sum(tf.square(kernel))
            optimizer.apply(tape.gradient(loss, model.trainable_variables))
            size = tf.cast(tf.shape(rows)[0], tf.float32)
            loss_sum += loss * size
            hits = tf.equal(tf.argmax(logits, 1), tf.argmax(target, 1))
            correct += tf.reduce_sum(tf.cast(hits, tf.float32))
        total = tf.cast(count, tf.float32)
        return loss_sum / total, correct / total

    return train_epoch


def _scorer(tf, model, images) -> Callable:
    """Return the function from rows (m,) to class probabilities float32 (m, classes)."""

    @tf.function(reduce_retracing=True)
    def probabilities(batch):
        return tf.nn.softmax(model(tf.cast(batch, tf.float32), training=False))

    def score(rows: np.ndarray) -> np.ndarray:
        parts = [
            probabilities(images[rows[start : start + SCORING_BATCH]]).numpy()
            for start in range(0, len(rows), SCORING_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, model.output_shape[-1]), "float32")

    return score


def _loss_and_accuracy(probability: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Return the mean cross-entropy, without smoothing or penalties, and the accuracy."""
    if not len(label):
        return float("nan"), float("nan")
    of_label = probability[np.arange(len(label)), label].astype(np.float64)
    loss = -np.log(np.maximum(of_label, np.finfo(np.float32).eps)).mean()
    return float(loss), float((probability.argmax(1) == label).mean())


def _callbacks(keras, settings) -> list:
    """Return fresh callbacks: they carry state, so no two folds may share one."""
    callbacks = []
    if plateau := settings.reduce_on_plateau:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=plateau.monitor,
                mode=BETTER[plateau.monitor],
                factor=plateau.factor,
                patience=plateau.patience,
                min_delta=0.0,
                min_lr=plateau.min_learning_rate,
            )
        )
    if stopping := settings.early_stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor=stopping.monitor,
                mode=BETTER[stopping.monitor],
                patience=stopping.patience,
                min_delta=stopping.min_delta,
                restore_best_weights=True,
            )
        )
    return callbacks
