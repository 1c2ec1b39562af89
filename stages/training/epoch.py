"""Compile one training epoch into a single graph, and score images between epochs.

Batches are gathered from uint8 images, or float32 features, in memory and augmented inside the
compiled loop.
"""

import ctypes
import math
from collections.abc import Callable

import numpy as np

from stages.augment import augmenter, keys, views

SCORING_BATCH = 500  # most images per batch in inference; larger ones are no faster on a CPU
SCORING_BYTES = 2**23  # of a batch's float32 pixels; the values of layers take many times as much
ALIGNMENT = 64  # bytes, the alignment of TensorFlow's own buffers


def compiled_epoch(tf, model, optimizer, images, labels, classes, recipe, weights=None) -> Callable:
    """Return the compiled epoch: (order int32 (n,), seed int32 (2,)) -> mean loss, accuracy.

    `weights` are class weights, float32 (classes,), that multiply each image's loss; None means 1.
    """
    settings = recipe.train
    augment = augmenter(recipe.augmentation)
    all_images, all_labels = resident(tf, images), tf.constant(labels, tf.int32)
    trained = [variable.value for variable in model.trainable_variables]
    kernels = [v for v in model.trainable_variables if len(v.shape) > 1] if settings.l2 else []

    @tf.function(autograph=False)
    def train_epoch(order, seed):
        count = tf.shape(order)[0]

        def step(start, loss_sum, correct_sum):
            rows = order[start : start + settings.batch_size]
            batch = tf.cast(tf.gather(all_images, rows), tf.float32)
            target = tf.one_hot(tf.gather(all_labels, rows), classes)
            batch, target = augment(batch, target, keys.of_batch(tf, seed, start))
            smoothed = target * (1 - settings.label_smoothing) + settings.label_smoothing / classes
            logits = tf.cast(model(batch, training=True), tf.float32)
            losses = tf.nn.softmax_cross_entropy_with_logits(smoothed, logits)
            if weights is not None:  # a mixed image gets the weighted mean over its classes
                losses *= tf.reduce_sum(target * weights, axis=1)
            loss = tf.reduce_mean(losses)
            for kernel in kernels:
                loss += settings.l2 * tf.reduce_sum(tf.square(kernel))
            if settings.ema:
                optimizer.ema_momentum = ema_momentum(tf, settings.ema, optimizer)
            optimizer.apply(tf.gradients(loss, trained))  # not a tape: see fast_layers.Conv2D
            size = tf.cast(tf.shape(rows)[0], tf.float32)
            correct = tf.equal(tf.argmax(logits, 1), tf.argmax(target, 1))
            number_correct = tf.reduce_sum(tf.cast(correct, tf.float32))
            return start + settings.batch_size, loss_sum + loss * size, correct_sum + number_correct

        # The last batch may be smaller: every image is seen once per epoch.
        _, loss_sum, correct_sum = tf.while_loop(
            lambda start, *_: start < count, step, (0, 0.0, 0.0)
        )
        total = tf.cast(count, tf.float32)
        return loss_sum / total, correct_sum / total

    return train_epoch


def ema_momentum(tf, largest: float, optimizer):
    """Return the momentum of the average of the weights in step t: at most (1 + t) / (10 + t).

    So the average forgets the first weights even in a short training: TensorFlow's
    `tf.train.ExponentialMovingAverage` does the same if it is given `num_updates`.
    """
    step = tf.cast(optimizer.iterations.value + 1, tf.float32)
    return tf.minimum(largest, (1 + step) / (10 + step))


def resident(tf, images: np.ndarray):
    """Return images as a tensor that shares their memory where possible: workers map one file.

    The array must outlive the tensor. TensorFlow never writes to a tensor, but rejects
    read-only memory, so it gets a writable view of the same memory. With a GPU, or if the memory is
    not aligned, the images are copied.
    """
    aligned = images.flags.c_contiguous and images.ctypes.data % ALIGNMENT == 0
    if tf.config.list_physical_devices("GPU") or not aligned:
        return tf.constant(images)
    memory = (ctypes.c_uint8 * images.nbytes).from_address(images.ctypes.data)
    shared = np.ctypeslib.as_array(memory).view(images.dtype).reshape(images.shape)
    return tf.experimental.dlpack.from_dlpack(shared.__dlpack__())


def scoring_batch(shape: tuple[int, ...]) -> int:
    """Return how many images, or feature vectors, of a shape to score at once."""
    return max(1, min(SCORING_BATCH, SCORING_BYTES // (4 * math.prod(shape))))


def scorer(tf, model, images, shipped) -> Callable:
    """Return a function from rows (m,) to class probabilities, float32 (m, classes).

    They are computed by `shipped`: `model` itself, or a float32 copy that receives its weights. A
    second argument, float32 (8,), moves the images as `stages.augment.views` does.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def probabilities(batch, move):
        batch = tf.cast(batch, tf.float32)
        if move is not None:
            batch = views.moved(batch, move)
        return tf.nn.softmax(shipped(batch, training=False))

    def score(rows: np.ndarray, move: np.ndarray | None = None) -> np.ndarray:
        if shipped is not model:
            shipped.set_weights(model.get_weights())
        parts = [np.zeros((0, model.output_shape[-1]), np.float32)]  # without validation images
        size = scoring_batch(images.shape[1:])
        for start in range(0, len(rows), size):
            parts.append(probabilities(images[rows[start : start + size]], move).numpy())
        return np.concatenate(parts)

    return score


def loss_and_accuracy(probability: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Return the mean cross-entropy, without label smoothing or penalties, and the accuracy."""
    if not len(label):
        return float("nan"), float("nan")
    of_label = probability[np.arange(len(label)), label].astype(np.float64)
    loss = -np.log(np.maximum(of_label, np.finfo(np.float32).eps)).mean()
    return float(loss), float((probability.argmax(1) == label).mean())
