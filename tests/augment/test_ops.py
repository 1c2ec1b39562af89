"""Properties of every op."""

import numpy as np
import pytest
import tensorflow as tf

from stages.augment import OPS, augmenter
from stages.settings.registry import check_arguments
from stages.settings.sections import Named

STRONG = {
    "rotate": {"degrees": 30},
    "zoom": {"factor": 0.3},
    "shift": {"fraction": 0.2},
    "shear": {"degrees": 30},
    "elastic": {"pixels": 2.0, "sigma": 2.0},
    "random_erasing": {"fraction": 0.9},
    "noise": {"deviation": 20},
    "brightness": {"factor": 0.5},
    "flip": {"horizontal": True, "vertical": True},
    "mixup": {"alpha": 1.0},
    "cutmix": {"alpha": 1.0},
}
NONE = {
    "rotate": {"degrees": 0},
    "zoom": {"factor": 0},
    "shift": {"fraction": 0},
    "shear": {"degrees": 0},
    "elastic": {"pixels": 0},
    "random_erasing": {"fraction": 0},
    "noise": {"deviation": 0},
    "brightness": {"factor": 0},
    "flip": {"horizontal": False},
    "mixup": {"alpha": 0},
    "cutmix": {"alpha": 0},
}
GREATEST = {  # the largest values that the arguments allow
    "rotate": {"degrees": 180},
    "zoom": {"factor": 0.999},
    "shift": {"fraction": 0.999},
    "shear": {"degrees": 60},
    "elastic": {"pixels": 100, "sigma": 50},
    "random_erasing": {"fraction": 1},
    "noise": {"deviation": 255},
    "brightness": {"factor": 1},
    "flip": {"horizontal": True, "vertical": True},
    "mixup": {"alpha": 100},
    "cutmix": {"alpha": 100},
}
LABELS_CHANGE = {"mixup", "cutmix"}


def batch(count=12, height=9, width=8, channels=1):
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, height, width, channels)).astype("f4")


def apply(ops, images, seed=(1, 2)):
    """Augment as in a compiled epoch, where the batch size is unknown to the graph."""
    named = [
        Named(name=name, arguments=check_arguments(OPS[name], arguments, name))
        for name, arguments in ops
    ]
    labels = np.eye(len(images), dtype="f4")
    graph = tf.function(augmenter(named)).get_concrete_function(
        tf.TensorSpec((None, *images.shape[1:])),
        tf.TensorSpec((None, len(images))),
        tf.TensorSpec((2,), tf.int32),
    )
    changed = graph(tf.constant(images), tf.constant(labels), tf.constant(seed))
    return [array.numpy() for array in changed]


def test_every_op_is_tested_here():
    assert set(STRONG) == set(NONE) == set(GREATEST) == set(OPS)


@pytest.mark.parametrize("name", sorted(OPS))
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_dtype_and_range_stay(name, channels):
    images = batch(channels=channels)
    changed, labels = apply([(name, STRONG[name])], images)
    assert changed.shape == images.shape
    assert changed.dtype == labels.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not np.array_equal(changed, images)
    if name in LABELS_CHANGE:
        np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
        assert not np.array_equal(labels, np.eye(12))
    else:
        np.testing.assert_array_equal(labels, np.eye(12))


@pytest.mark.parametrize("name", sorted(OPS))
def test_the_greatest_strength_stays_in_range_too(name):
    changed, labels = apply([(name, GREATEST[name])], batch(200))
    assert changed.shape == (200, 9, 8, 1)
    assert changed.min() >= 0  # also fails for NaN
    assert changed.max() <= 255
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("name", sorted(OPS))
def test_zero_strength_changes_nothing(name):
    images = batch()
    changed, labels = apply([(name, NONE[name])], images)
    np.testing.assert_allclose(changed, images, atol=1e-2)
    np.testing.assert_array_equal(labels, np.eye(12))


@pytest.mark.parametrize("name", sorted(OPS))
def test_the_same_seed_gives_the_same_batch_and_another_seed_another(name):
    ops, images = [(name, STRONG[name])], batch()
    first = apply(ops, images)
    for one, again in zip(first, apply(ops, images), strict=True):
        np.testing.assert_array_equal(again, one)
    assert not np.array_equal(apply(ops, images, (1, 3))[0], first[0])


@pytest.mark.parametrize("name", sorted(OPS))
def test_each_image_of_a_batch_is_changed_its_own_way(name):
    images = np.repeat(batch(1), 12, axis=0)
    if name in LABELS_CHANGE:
        images *= np.linspace(0, 1, 12, dtype="f4")[:, None, None, None]
    changed, _ = apply([(name, STRONG[name])], images, seed=(1, 5))
    assert len({image.tobytes() for image in changed}) == (4 if name == "flip" else 12)


@pytest.mark.parametrize("name", sorted(OPS))
def test_a_part_batch_of_one_image_is_augmented_too(name):
    changed, labels = apply([(name, STRONG[name])], batch(1))
    assert changed.shape == (1, 9, 8, 1)
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(labels, [[1]])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rotate", {"degrees": 181}),
        ("rotate", {"degrees": -1}),
        ("rotate", {"angle": 3, "degrees": 3}),
        ("rotate", {}),
        ("zoom", {"factor": 1.0}),
        ("shift", {"fraction": 1.5}),
        ("shift", {"fraction": "half"}),
        ("shear", {"degrees": 61}),
        ("elastic", {"pixels": -1}),
        ("elastic", {"sigma": 0, "pixels": 1}),
        ("random_erasing", {"fraction": 1.1}),
        ("noise", {"deviation": 256}),
        ("brightness", {"factor": 1.1}),
        ("flip", {"horizontal": 1}),
        ("flip", {"diagonal": True}),
        ("mixup", {"alpha": -0.1}),
        ("cutmix", {"alpha": "much"}),
    ],
)
def test_wrong_arguments_are_refused(name, arguments):
    with pytest.raises(ValueError, match=rf"^here\.{next(iter(arguments), 'degrees')} is "):
        check_arguments(OPS[name], arguments, "here")


def test_ops_apply_in_order_and_each_draws_for_itself():
    images = batch()
    noise, dim = ("noise", {"deviation": 30}), ("brightness", {"factor": 1.0})
    assert not np.allclose(apply([noise, dim], images)[0], apply([dim, noise], images)[0])
    gray = np.full((4, 20, 20, 1), 128, "f4")
    (once, _), (twice, _) = apply([noise], gray), apply([noise, noise], gray)
    first, second = once - gray, twice - once
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


def test_affine_ops_draw_the_same_whatever_stands_beside_them():
    images, moves = batch(), [("rotate", {"degrees": 30}), ("zoom", {"factor": 0.3})]
    alone, _ = apply(moves, images)
    for position in range(3):
        ops = [*moves[:position], ("noise", {"deviation": 0}), *moves[position:]]
        np.testing.assert_array_equal(apply(ops, images)[0], alone)


def test_affine_ops_apply_where_the_first_of_them_stands():
    images = np.full((12, 9, 8, 1), 255, "f4")
    move, grain = ("shift", {"fraction": 0.2}), ("noise", {"deviation": 1})
    last = apply([grain, move, ("zoom", {"factor": 0})], images)[0]
    first = apply([move, grain, ("zoom", {"factor": 0})], images)[0]
    # Noise after a shift leaves about half of the black border black.
    assert 0 < (first == 0).sum() < 0.7 * (last == 0).sum()
