"""Small model files and images for the tests of other formats."""

from pathlib import Path

import keras
import numpy as np
import pytest

from stages.models import build
from stages.settings.sections import Named
from stages.training.export import assemble
from stages.training.trained_images import Listed
from tests.prepared import CLASSES, recipe

SHAPE = (12, 10, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), np.uint8)
NORMALIZED = Named(name="batchnorm", arguments={"dense": 4, "momentum": 0.9})
LOGISTIC = Named(name="logistic")
NOTHING = Listed(np.empty(0, "<u8"), True)


def importable(module):
    """Return the module of a format; skip the test where one of its packages is missing."""
    for package in module.PACKAGES:
        reason = f"{package} is missing: pip install -r requirements-export.txt"
        pytest.importorskip(package, reason=reason)
    return module


def write(path: Path, network=LOGISTIC, members=2, shape=SHAPE, classes=CLASSES, views=1) -> Path:
    """Write the file of a soft vote of untrained networks, and return its path."""
    keras.utils.set_random_seed(3)
    weights = [build(network, shape, len(classes)).get_weights() for _ in range(members)]
    rotate = Named(name="rotate", arguments={"degrees": 20})
    flip = Named(name="flip", arguments={"horizontal": True, "vertical": False})
    chosen = recipe(network, [rotate, flip], predict_views=views)
    path.write_bytes(assemble(chosen, shape, len(classes), weights, NOTHING))
    return path


def write_unconvertible(path: Path, shape=SHAPE, classes=CLASSES) -> Path:
    """Write a model with an operation that only TensorFlow has, and return its path."""
    pixels = keras.Input(shape, name="pixels")
    small = keras.layers.Resizing(6, 6, interpolation="lanczos3", name="shrink")(pixels)
    logits = keras.layers.Dense(len(classes))(keras.layers.Flatten()(small))
    keras.Model(pixels, keras.layers.Softmax(name="vote_0")(logits)).save(path)
    return path
