"""Compute the features that a frozen backbone has of images."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from stages.models.backbone import body
from stages.settings.sections import Kernels, Named
from stages.training.epoch import scoring_batch
from stages.training.fold import Shape
from stages.training.tf_runtime import import_tensorflow

BLOCK = 128  # images per task; fixed, so that results do not depend on the number of workers


def backbone(architecture: Named, image_shape: Shape, weights: Path):
    """Return the Keras model of a backbone with its weights, from pixels of 0-255 to features.

    `weights` is an `.npz` file of arrays in Keras' order.
    """
    model = body(architecture.arguments["name"], image_shape)
    with np.load(weights, allow_pickle=False) as stored:
        model.set_weights([stored[name] for name in sorted(stored.files)])
    return model


def features(
    images: np.ndarray, architecture: Named, weights: Path, kernels: Kernels
) -> np.ndarray:
    """Return the features of uint8 (n, height, width, channels) images, float32 (n, d)."""
    score = _scorer(architecture.arguments["name"], images.shape[1:], weights, kernels)
    size = scoring_batch(images.shape[1:])
    starts = range(0, len(images), size)
    return np.concatenate([score(images[start : start + size]).numpy() for start in starts])


@lru_cache(1)  # building and tracing a backbone takes longer than a block of small images
def _scorer(name: str, image_shape: Shape, weights: Path, kernels: Kernels) -> Callable:
    tf = import_tensorflow(kernels)
    import keras

    keras.utils.clear_session()
    model = backbone(Named(name="backbone", arguments={"name": name}), image_shape, weights)

    @tf.function(autograph=False, reduce_retracing=True)
    def score(batch):
        return model(tf.cast(batch, tf.float32), training=False)

    return score
