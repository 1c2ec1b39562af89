"""Properties of every op."""

import json
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.augment import OPS, augmenter
from stages.augment.mixing import MIXING
from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from tests.augment.strengths import GREATEST, NONE, STRENGTHS, TYPICAL

LABELS = np.eye(12, dtype="f4")
SEEDS = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 10**6))
every_op = pytest.mark.parametrize("name", sorted(OPS))


def checked(ops):
    return [
        Named(name=name, arguments=check_arguments(OPS[name], arguments, name))
        for name, arguments in ops
    ]


@cache
def compiled(ops, shape):
    return tf.function(augmenter(checked(json.loads(ops)))).get_concrete_function(
        tf.TensorSpec((None, *shape)), tf.TensorSpec((None, 12)), tf.TensorSpec((2,), tf.int32)
    )


def apply(ops, images, seed=(1, 2)):
    """Augment as in a compiled epoch, where the batch size is unknown to the graph."""
    labels = LABELS[np.arange(len(images)) % 12]
    changed, mixed = (
        array.numpy()
        for array in compiled(json.dumps(ops), images.shape[1:])(
            tf.constant(images), tf.constant(labels), tf.constant(seed)
        )
    )
    assert changed.shape == images.shape
    assert changed.dtype == mixed.dtype == np.float32
    assert changed.min() >= 0  # also fails for NaN
    assert changed.max() <= 255
    np.testing.assert_allclose(mixed.sum(1), 1, atol=1e-6)
    assert np.array_equal(mixed, labels) or MIXING.keys() & {name for name, _ in ops}
    return changed, mixed


def batch(count=12, channels=1):
    return np.random.default_rng(0).integers(0, 256, (count, 9, 8, channels)).astype("f4")


def test_every_op_is_tested_here():
    assert set(STRENGTHS) == set(OPS)


@every_op
@pytest.mark.parametrize("channels", [1, 3])
def test_each_batch_of_each_seed_is_changed(name, channels):
    ops, images = [(name, TYPICAL[name])], batch(channels=channels)
    first, labels = apply(ops, images)
    if (name, channels) == ("grayscale", 1):
        np.testing.assert_array_equal(first, images)
        return
    assert not np.array_equal(first, images)
    assert np.array_equal(labels, LABELS) == (name not in MIXING)
    np.testing.assert_array_equal(apply(ops, images)[0], first)
    assert not np.array_equal(apply(ops, images, (1, 3))[0], first)


@every_op
def test_one_image_may_be_changed_by_the_greatest_strength(name):
    apply([(name, GREATEST[name])], batch(1))  # elastic crashed TensorFlow


@every_op
def test_each_image_of_a_batch_is_changed_its_own_way(name):
    images = np.repeat(batch(1, channels=3), 12, axis=0)
    if name in MIXING:
        images *= np.linspace(0, 1, 12, dtype="f4")[:, None, None, None]
    changed, _ = apply([(name, TYPICAL[name])], images, seed=(1, 5))
    assert len({image.tobytes() for image in changed}) >= {"flip": 4, "grayscale": 2}.get(name, 6)


def between(values):
    lowest, _, highest = values
    if isinstance(highest, bool):
        return st.booleans()
    return st.floats(lowest, highest) | st.sampled_from([lowest, highest])


@st.composite
def batches(draw):
    """Draw images of any small shape, from all black to all white, and a class for each."""
    shape = [draw(st.integers(1, most)) for most in (5, 12, 12)] + [draw(st.sampled_from([1, 3]))]
    random = np.random.default_rng(draw(st.integers(0, 99)))
    low, high = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    images = random.integers(low, high, shape, endpoint=True).astype("f4")
    return images, np.eye(3, dtype="f4")[random.integers(0, 3, shape[0])]


def ops_of_any_strength(name):
    arguments = {argument: between(values) for argument, values in STRENGTHS[name].items()}
    return st.fixed_dictionaries(arguments).map(lambda arguments: (name, arguments))


ANY = st.sampled_from(sorted(OPS)).flatmap(ops_of_any_strength)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(ANY, min_size=1, max_size=3), batches(), SEEDS)
def test_images_stay_images_for_any_shape_and_strength(ops, batch, seed):
    images, labels = batch
    changed, mixed = augmenter(checked(ops))(images, labels, tf.constant(seed))
    assert changed.shape == images.shape
    assert mixed.shape == labels.shape
    assert np.min(changed) >= -0.01  # bilinear weights may sum to a little more than 1
    assert np.max(changed) <= 255.01
    assert np.min(mixed) >= -1e-6
    np.testing.assert_allclose(np.sum(mixed, 1), 1, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(OPS)), max_size=3), batches(), SEEDS)
def test_no_strength_is_no_change(names, batch, seed):
    images, labels = batch
    ops = checked([(name, NONE[name]) for name in names])
    changed, mixed = augmenter(ops)(images, labels, tf.constant(seed))
    np.testing.assert_allclose(changed, images, atol=0.02)
    np.testing.assert_array_equal(mixed, labels)


@every_op
def test_strengths_out_of_range_are_refused(name):
    for argument, (*_, most) in STRENGTHS[name].items():
        for wrong in [1] if isinstance(most, bool) else [most + 0.001, -0.001, "much"]:
            with pytest.raises(ValueError, match=rf"^here\.{argument} is "):
                check_arguments(OPS[name], TYPICAL[name] | {argument: wrong}, "here")


def test_ops_apply_in_order():
    images = batch()
    noise, dim = ("noise", {"deviation": 30}), ("brightness", {"factor": 1.0})
    assert not np.allclose(apply([noise, dim], images)[0], apply([dim, noise], images)[0])
