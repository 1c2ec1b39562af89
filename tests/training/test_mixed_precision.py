"""Folds in mixed precision, which needs native kernels, so in a separate process."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import tensorflow as tf

from stages.training.fold import network
from tests.prepared import recipe
from tests.training.folds import BASIC, CLASSES, IMAGES, SHAPE, alive, assert_same, fold

pytestmark = pytest.mark.slow
MIXED = {"precision": "mixed_bfloat16", "l2": 0.001, "global_clipnorm": 1.0, "ema": 0.5}
MIXED |= {"kernels": "native"}


def forget_portable_kernels():
    os.environ.pop("ONEDNN_MAX_CPU_ISA", None)  # set where they were used


@pytest.fixture(scope="module")
def native():
    """Call a function in a process that has not computed yet."""
    with ProcessPoolExecutor(1, get_context("spawn"), forget_portable_kernels) as pool:
        yield lambda *call, **named: pool.submit(*call, **named).result()


def scored_by_the_shipped_model(record):
    model = network(recipe(BASIC), SHAPE, CLASSES)
    model.set_weights(record.weights)
    logits = model(IMAGES[record.validation].astype("f4"), training=False)
    return tf.nn.softmax(logits).numpy()


def type_of_the_mixed_output():
    return network(recipe(BASIC), SHAPE, CLASSES, "mixed_bfloat16").output.dtype


def left_by_a_fold():
    fold(0, epochs=1, **MIXED)
    before = alive()
    fold(1, epochs=1, **MIXED)
    return before, alive()


def test_it_computes_differently_and_keeps_float32(native):
    assert native(type_of_the_mixed_output) == "bfloat16"
    mixed, full = native(fold, **MIXED), native(fold, **MIXED | {"precision": "float32"})
    assert {weights.dtype for weights in mixed.weights} == {np.dtype("f4")}
    assert not np.array_equal(mixed.history[:, 0], full.history[:, 0])
    np.testing.assert_allclose(mixed.history[:, 0], full.history[:, 0], rtol=0.05)
    # bfloat16 has 8 significant bits, so its values have zeros in the low 16 bits of float32
    assert any((weights.view("i4") & 0xFFFF).any() for weights in mixed.weights)
    assert_same(native(fold, **MIXED), mixed)


def test_it_is_scored_by_the_float32_model_that_is_shipped(native):
    mixed = native(fold, **MIXED)
    expected = native(scored_by_the_shipped_model, mixed)
    np.testing.assert_allclose(mixed.probability, expected, atol=1e-6)


def test_nothing_of_a_fold_stays_in_the_process(native):
    before, after = native(left_by_a_fold)
    assert after == before
