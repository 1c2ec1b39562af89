"""Properties of every op for arbitrary images, strengths and seeds."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.augment import OPS, augmenter
from stages.settings.registry import check_arguments
from stages.settings.sections import Named

ENOUGH = settings(max_examples=120, deadline=None)
SEEDS = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 10**6))


def upto(most, least=0.0):
    return st.floats(least, most, width=32) | st.sampled_from([least, most])


STRENGTHS = {  # name -> strategies for its arguments, over their full ranges
    "rotate": {"degrees": upto(180)},
    "zoom": {"factor": upto(0.96875)},
    "shift": {"fraction": upto(0.96875), "whole": st.booleans()},
    "shear": {"degrees": upto(60)},
    "elastic": {"pixels": upto(100), "sigma": upto(12, least=0.5)},
    "random_erasing": {"fraction": upto(1)},
    "noise": {"deviation": upto(255)},
    "brightness": {"factor": upto(1)},
    "flip": {"horizontal": st.booleans(), "vertical": st.booleans()},
    "mixup": {"alpha": upto(100)},
    "cutmix": {"alpha": upto(100)},
}
NONE = {name: dict.fromkeys(arguments, 0) for name, arguments in STRENGTHS.items()} | {
    "shift": {"fraction": 0, "whole": True},
    "elastic": {"pixels": 0, "sigma": 3.0},
    "flip": {"horizontal": False, "vertical": False},
}


@st.composite
def batches(draw):
    """Draw images of any small shape, from all black to all white, and a class for each."""
    shape = [draw(st.integers(1, most)) for most in (5, 12, 12)] + [draw(st.sampled_from([1, 3]))]
    random = np.random.default_rng(draw(st.integers(0, 99)))
    low, high = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    images = random.integers(low, high, shape, endpoint=True).astype("f4")
    return images, np.eye(3, dtype="f4")[random.integers(0, 3, shape[0])]


def ops(name):
    return st.fixed_dictionaries(STRENGTHS[name]).map(lambda arguments: (name, arguments))


ANY = st.sampled_from(sorted(OPS)).flatmap(ops)


def apply(chosen, images, labels, seed):
    named = [
        Named(name=name, arguments=check_arguments(OPS[name], arguments, name))
        for name, arguments in chosen
    ]
    changed = augmenter(named)(tf.constant(images), tf.constant(labels), tf.constant(seed))
    return [array.numpy() for array in changed]


def test_every_op_is_tested_here():
    assert set(STRENGTHS) == set(OPS)


@ENOUGH
@given(st.lists(ANY, min_size=1, max_size=3), batches(), SEEDS)
def test_images_stay_images_and_the_same_seed_gives_the_same(chosen, batch, seed):
    images, labels = batch
    first = apply(chosen, images, labels, seed)
    changed, mixed = first
    assert changed.shape == images.shape
    assert mixed.shape == labels.shape
    assert changed.dtype == mixed.dtype == np.float32
    assert changed.min() >= -0.01  # bilinear weights may sum to a little more than 1
    assert changed.max() <= 255.01
    assert mixed.min() >= -1e-6
    np.testing.assert_allclose(mixed.sum(1), 1, atol=1e-5)
    if not {"mixup", "cutmix"} & {name for name, _ in chosen}:
        np.testing.assert_array_equal(mixed, labels)
    for one, again in zip(first, apply(chosen, images, labels, seed), strict=True):
        np.testing.assert_array_equal(again, one)


@ENOUGH
@given(st.lists(st.sampled_from(sorted(OPS)), max_size=3), batches(), SEEDS)
def test_no_strength_is_no_change(names, batch, seed):
    images, labels = batch
    changed, mixed = apply([(name, NONE[name]) for name in names], images, labels, seed)
    np.testing.assert_allclose(changed, images, atol=0.02)
    np.testing.assert_array_equal(mixed, labels)
