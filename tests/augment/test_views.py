import numpy as np
import pytest
import tensorflow as tf

from stages.augment.affine import AFFINE, resample
from stages.augment.views import moved, transforms
from stages.settings.sections import Named

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 10, 3)).astype("f4")
PLAIN = [1, 0, 0, 0, 1, 0, 0, 0]
ARGUMENTS = {
    "rotate": {"degrees": 10},
    "zoom": {"factor": 0.2},
    "shift": {"fraction": 0.2, "whole": False},
    "shear": {"degrees": 5},
    "crop": {"area": 0.5, "stretch": 0.25},
    "flip": {"horizontal": True, "vertical": False},
    "grayscale": {"probability": 1.0},
}


def made(*names, count, seed=1, **arguments):
    ops = [Named(name=name, arguments=ARGUMENTS[name] | arguments) for name in names]
    return transforms(ops, count, seed, IMAGES.shape[1:3])


def test_a_flip_mirrors_every_second_view_exactly():
    found = made("flip", count=4)
    mirrored = IMAGES[:, :, ::-1]
    for transform, expected in zip(found, (mirrored, IMAGES, mirrored), strict=True):
        np.testing.assert_array_equal(moved(IMAGES, transform), expected)


def test_two_directions_of_a_flip_give_four_views():
    found = [moved(IMAGES, one).numpy() for one in made("flip", count=4, vertical=True)]
    both = IMAGES[:, ::-1, ::-1]
    for view, expected in zip(found, (IMAGES[:, :, ::-1], IMAGES[:, ::-1], both), strict=True):
        np.testing.assert_array_equal(view, expected)
    (upside_down,) = made("flip", count=2, horizontal=False, vertical=True)
    np.testing.assert_array_equal(moved(IMAGES, upside_down), IMAGES[:, ::-1])


@pytest.mark.parametrize("name", AFFINE)
def test_a_view_is_one_that_the_augmentation_could_have_made(name, monkeypatch):
    """Given the same draws, the op moves training images in the same way."""
    (transform,) = made(name, count=2)
    drawn = np.random.default_rng([1, 1]).uniform
    monkeypatch.setattr(
        tf.random, "stateless_uniform", lambda n, k, *ends: tf.fill(n, drawn(*ends))
    )
    op = Named(name=name, arguments=ARGUMENTS[name])
    expected = resample(tf, tf.constant(IMAGES), [op], tf.constant([0, 0]))
    np.testing.assert_allclose(moved(IMAGES, transform), expected, atol=0.05)
    assert not np.allclose(expected, IMAGES, atol=1)


def test_views_differ_and_are_those_of_the_seed():
    found = made(*ARGUMENTS, count=5)
    assert found.dtype == np.float32
    assert len(np.unique([PLAIN, *found.tolist()], axis=0)) == 5
    np.testing.assert_array_equal(found[:2], made(*ARGUMENTS, count=3))
    assert not np.allclose(found, made(*ARGUMENTS, count=5, seed=2))


def test_ops_that_do_not_move_pixels_make_no_view():
    assert made("grayscale", count=3).tolist() == [PLAIN, PLAIN]
