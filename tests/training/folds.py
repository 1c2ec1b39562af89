"""Small trained folds, and the objects that they leave in the process."""

import gc
from collections import Counter

import numpy as np

from stages.settings.sections import Named
from stages.training.fold import train_fold
from tests.prepared import recipe

CLASSES = 3
SHAPE = (12, 12, 1)


def stripes(count=90):
    """Return images whose class is the row of a bright stripe, with noise to make learning slow."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    images = random.integers(0, 120, (count, *SHAPE))
    for row in range(CLASSES):
        images[labels == row, row * 4 : row * 4 + 3] += 60
    return images.astype("uint8"), labels.astype("int64"), (np.arange(count) // 3 % 3).astype("i2")


IMAGES, LABELS, FOLDS = stripes()


BASIC = Named(name="basic", arguments={"dense": 8, "dropout": 0.2})
SHIFT = Named(name="shift", arguments={"fraction": 0.1})


def fold(number=0, images=IMAGES, labels=LABELS, folds=FOLDS, on_epoch=None, **settings):
    chosen = recipe(BASIC, **{"ops": [SHIFT], "epochs": 3} | settings)
    return train_fold(images, labels, folds, CLASSES, chosen, number, on_epoch)


def assert_same_weights(one, other):
    for weights, others in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weights, others)


def assert_same(one, other):
    np.testing.assert_array_equal(one.history, other.history)
    np.testing.assert_array_equal(one.probability, other.probability)
    assert_same_weights(one, other)


def alive():
    gc.collect()
    kinds = Counter(type(thing).__name__ for thing in gc.get_objects())
    return [kinds[kind] for kind in ("FuncGraph", "AtomicFunction", "EagerTensor", "Variable")]
