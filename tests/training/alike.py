"""Compare short trainings with Foldlab's layers and optimizers and with those of Keras."""

import keras
import numpy as np
import tensorflow as tf

from stages.engine.resolve import recipe
from stages.training.epoch import compiled_epoch
from tests.prepared import parse


def trained(layers, optimizer):
    """Train two epochs of batches of 16, 16 and 5 images; return losses and weights."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=False)(pixels)  # a bias would learn only noise
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Conv2D(5, 3, activation="relu", padding="same")(layers.ReLU()(x))
    x = layers.BatchNormalization(momentum=0.9)(layers.Flatten()(x))
    model = keras.Model(pixels, layers.Dense(3)(x))
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 4, (37, 8, 8, 1), "uint8"), random.integers(0, 3, 37)
    epoch = compiled_epoch(tf, model, optimizer, images, labels, 3, recipe(parse(), "basic"))
    losses = [float(epoch(np.arange(37), np.int32([1, n]))[0]) for n in (1, 2)]
    return losses, model.get_weights()


def assert_trains_alike(ours, own):
    """Compare two pairs of layers and optimizer."""
    (losses, weights), (expected, theirs) = trained(*ours), trained(*own)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for one, other in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
