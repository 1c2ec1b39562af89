"""Compute the features that a frozen backbone computes for images."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from stages.augment import augmenter, views
from stages.models.backbone import body
from stages.settings.sections import Kernels, Named
from stages.training.epoch import scoring_batch
from stages.training.fold import Shape, derive_seed
from stages.training.recipe import Recipe
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


def features(images: np.ndarray, recipe: Recipe, weights: Path, start: int = 0) -> np.ndarray:
    """Return the features of images, and of augmented views of them.

    Args:
        images: uint8 (n, height, width, channels), those from number `start` of all images.
        recipe: its backbone, augmentation, kernels and seed.
        weights: as in `backbone`.

    Returns:
        float32 (n, predict_views + views, d): of each image first the features of itself and of
        the views that predictions are averaged over.
    """
    arguments, kernels = recipe.architecture.arguments, recipe.train.kernels
    score = _scorer(arguments["name"], images.shape[1:], weights, kernels)
    tf = import_tensorflow(kernels)
    augment = tf.function(augmenter(recipe.augmentation), autograph=False, reduce_retracing=True)
    seed = derive_seed(recipe.train.seed, "views")  # not the variant's, as others may share them
    size = scoring_batch(images.shape[1:])
    scored = recipe.train.predict_views if arguments["views"] else 1
    moves = views.transforms(recipe.augmentation, scored, recipe.train.seed, images.shape[1:3])
    parts = []
    for first in range(0, len(images), size):
        batch = tf.cast(images[first : first + size], tf.float32)
        labels = tf.zeros((len(batch), 1))  # no op for single images changes them
        found = [score(batch), *(score(views.moved(batch, move)) for move in moves)]
        for view in range(1, 1 + (arguments["views"] or 0)):
            key = tf.constant([seed + view, start + first])
            found.append(score(augment(batch, labels, key)[0]))
        parts.append(np.stack(found, axis=1))
    return np.concatenate(parts)


@lru_cache(1)  # building and tracing a backbone takes longer than a block of small images
def _scorer(name: str, image_shape: Shape, weights: Path, kernels: Kernels) -> Callable:
    tf = import_tensorflow(kernels)
    import keras

    keras.utils.clear_session()
    model = backbone(Named(name="backbone", arguments={"name": name}), image_shape, weights)

    @tf.function(autograph=False, reduce_retracing=True)
    def score(batch):
        return model(batch, training=False)

    return score
