"""Independence of random draws: every draw of a batch has a distinct key."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from stages.augment import OPS, augmenter
from stages.settings.sections import Named
from tests.augment.strengths import TYPICAL

IMAGES = 2000


@pytest.fixture
def drawn(monkeypatch):
    """Collect the ops' draws: the key of each, and one number per image for each of its rows."""
    keys, columns = [], []

    def collecting(function):
        def draw(shape, seed, *arguments, **named):
            values = function(shape, seed, *arguments, **named)
            keys.append(tuple(np.asarray(seed).tolist()))
            rows = values.shape[0] // IMAGES or values.shape[0]
            columns.extend(values.numpy().reshape(rows, IMAGES, -1)[..., 0])
            return values

        return draw

    for name in ("stateless_uniform", "stateless_normal", "stateless_gamma"):
        monkeypatch.setattr(tf.random, name, collecting(getattr(tf.random, name)))
    return keys, columns


def augment(names, seed=(7, 3)):
    small = TYPICAL | {"elastic": {"pixels": 2.0, "sigma": 0.5}}
    ops = [Named(name=name, arguments=small[name]) for name in names]
    augmenter(ops)(tf.zeros((IMAGES, 2, 2, 1)), tf.ones((IMAGES, 2)) / 2, tf.constant(seed))


def assert_independent(keys, columns, case):
    assert len(keys) == len(set(keys)), case
    ranks = [np.argsort(np.argsort(column)) for column in columns]
    correlation = np.atleast_2d(np.corrcoef(ranks)) - np.eye(len(ranks))
    assert np.abs(correlation).max() < 5 / np.sqrt(IMAGES), case


@pytest.mark.parametrize("names", [sorted(OPS) * 2, sorted(OPS)[::-1] * 2])
def test_ops_of_a_list_draw_independently(names, drawn):
    augment(names)
    assert_independent(*drawn, case=names)


def test_batches_epochs_and_folds_draw_independently(drawn):
    seeds = [*itertools.product((7, 8), (1, 2, 1 + 32 * 1000, 2 + 32 * 1000, 1 + 64 * 1000))]
    for seed in seeds:
        augment(("rotate", "shift", "flip", "mixup"), seed)
    assert_independent(*drawn, case=seeds)
