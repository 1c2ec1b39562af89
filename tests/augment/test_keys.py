"""Independence of random draws: every draw of a batch has a distinct key."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from stages.augment import OPS, augmenter
from stages.settings.registry import check_arguments
from stages.settings.sections import Named

IMAGES = 2000
ARGUMENTS = {
    "rotate": {"degrees": 10},
    "zoom": {"factor": 0.1},
    "shift": {"fraction": 0.1},
    "shear": {"degrees": 10},
    "elastic": {"pixels": 1.0, "sigma": 0.5},
    "random_erasing": {"fraction": 0.5},
    "noise": {"deviation": 10},
    "brightness": {"factor": 0.5},
    "flip": {"horizontal": True, "vertical": True},
    "mixup": {"alpha": 1.0},
    "cutmix": {"alpha": 1.0},
}
DRAWS = ("stateless_uniform", "stateless_normal", "stateless_gamma")


@pytest.fixture
def drawn(monkeypatch):
    """Collect the ops' draws: the key of each, and one number per image for each of its rows."""
    keys, columns = [], []

    def collecting(function):
        def draw(shape, seed, *arguments, **named):
            values = function(shape, seed, *arguments, **named)
            keys.append(tuple(np.asarray(seed).tolist()))
            array = values.numpy()
            rows = array if array.shape[0] != IMAGES else array[None]
            columns.extend(row.reshape(IMAGES, -1)[:, 0] for row in rows)
            return values

        return draw

    for name in DRAWS:
        monkeypatch.setattr(tf.random, name, collecting(getattr(tf.random, name)))
    return keys, columns


def augment(names, seed=(7, 3)):
    ops = [
        Named(name=name, arguments=check_arguments(OPS[name], ARGUMENTS[name], name))
        for name in names
    ]
    images = tf.zeros((IMAGES, 2, 2, 1))
    augmenter(ops)(images, tf.ones((IMAGES, 2)) / 2, tf.constant(seed))


def highest_correlation(columns):
    """Return the highest |r| between the ranks of any two draws."""
    ranks = [np.argsort(np.argsort(column)) for column in columns]
    return np.abs(np.corrcoef(ranks) - np.eye(len(ranks))).max()


def test_arguments_cover_all_ops():
    assert ARGUMENTS.keys() == OPS.keys()


@pytest.mark.parametrize("first", ARGUMENTS)
def test_pairs_and_triples_of_ops_draw_independently(first, drawn):
    keys, columns = drawn
    others = [name for name in ARGUMENTS if name != first]
    for length in (1, 2):
        for rest in itertools.permutations(others, length):
            keys.clear()
            columns.clear()
            augment((first, *rest))
            assert len(keys) == len(set(keys)), (first, *rest)
            assert highest_correlation(columns) < 5 / np.sqrt(IMAGES), (first, *rest)


def test_batches_epochs_and_folds_draw_independently(drawn):
    keys, columns = drawn
    for seed in itertools.product((7, 8), (1, 2, 1 + 32 * 1000, 2 + 32 * 1000, 1 + 64 * 1000)):
        augment(("rotate", "shift", "flip", "mixup"), seed)
    assert len(keys) == len(set(keys))
    assert highest_correlation(columns) < 5 / np.sqrt(IMAGES)
