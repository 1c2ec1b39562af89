import numpy as np
import pytest
import tensorflow as tf

from stages.augment.mixing import cutmix, mixup

COUNT = 64


def batch():
    """Return images of one colour each, whose value is the number of their class."""
    images = np.zeros((COUNT, 8, 10, 1), "f4") + np.arange(COUNT)[:, None, None, None]
    return tf.constant(images, tf.float32), tf.eye(COUNT)


def mixed(op, alpha=1.0):
    return [array.numpy() for array in op(tf, *batch(), tf.constant([5, 6]), alpha=alpha)]


@pytest.mark.parametrize("op", [mixup, cutmix])
def test_labels_mix_as_the_pixels_do(op):
    images, labels = mixed(op)
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(images.mean((1, 2, 3)), labels @ np.arange(COUNT), atol=1e-3)


def test_mixup_blends_every_pixel_alike():
    images, _ = mixed(mixup)
    np.testing.assert_allclose(np.ptp(images, axis=(1, 2, 3)), 0, atol=1e-5)


def test_cutmix_brings_one_rectangle_of_one_other_image():
    images, labels = mixed(cutmix)
    for number, image in enumerate(images[..., 0]):
        other = image != number
        np.testing.assert_array_equal(other, np.outer(other.any(1), other.any(0)))
        assert len(set(image[other])) <= 1
        assert labels[number, number] == pytest.approx(1 - other.mean(), abs=1e-6)
    assert (images[..., 0] != np.arange(COUNT)[:, None, None]).any((1, 2)).mean() > 0.7


@pytest.mark.parametrize("op", [mixup, cutmix])
def test_each_image_lends_itself_once(op):
    _, labels = mixed(op)
    lent = (labels > 0) & ~np.eye(COUNT, dtype=bool)
    assert lent.sum(0).max() == 1
    assert lent.sum(1).max() == 1


def test_alpha_shapes_the_shares():
    """Half of all draws from Beta(a, a) are at least this far from 1/2."""
    for alpha, distance in ((0.01, 0.5), (1.0, 0.25), (50.0, 0.034)):
        share = np.diagonal(mixed(mixup, alpha)[1])
        assert np.isfinite(share).all()
        assert np.median(np.abs(share - 0.5)) == pytest.approx(distance, rel=0.3)
