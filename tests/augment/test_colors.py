"""Ops for photos."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stages.augment.colors import blur, color, grayscale, luma

SEED = tf.constant([3, 4])
PHOTO = np.random.default_rng(0).integers(60, 190, (1, 8, 8, 3)).astype("f4")
PHOTOS = np.repeat(PHOTO, 300, axis=0)


def test_luma_is_that_of_pillow():
    grey = np.asarray(Image.fromarray(PHOTO[0].astype(np.uint8)).convert("L"), float)
    np.testing.assert_allclose(luma(PHOTO)[0, ..., 0], grey, atol=0.51)


def test_brightness_and_contrast_stay_within_their_factors():
    flat = np.full((300, 4, 4, 3), 100, "f4")
    lit = color(tf, flat, SEED, brightness=0.4).numpy()[:, 0, 0, 0]
    assert (lit.min(), lit.max()) == (pytest.approx(60, abs=2), pytest.approx(140, abs=2))
    spread = color(tf, PHOTOS, SEED, contrast=0.3).numpy()
    ratio = spread.std(axis=(1, 2, 3)) / PHOTOS.std(axis=(1, 2, 3))
    assert (ratio.min(), ratio.max()) == (
        pytest.approx(0.7, abs=0.02),
        pytest.approx(1.3, abs=0.02),
    )
    grey = luma(spread).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(grey, luma(PHOTO).mean(), atol=0.1)


def test_saturation_keeps_lightness_and_hue_turns_colours():
    weak = color(tf, PHOTOS, SEED, saturation=1.0).numpy()
    np.testing.assert_allclose(luma(weak), luma(PHOTOS), atol=8)  # but for clipping
    assert np.ptp(weak, axis=3).mean(axis=(1, 2)).min() < 0.1 * np.ptp(PHOTO, axis=3).mean()
    middle = np.full((300, 2, 2, 3), 128, "f4") + np.array([40, -10, -20], "f4")
    turned = color(tf, middle, SEED, hue=0.5).numpy()[:, 0, 0]
    np.testing.assert_allclose(luma(turned[:, None, None])[:, 0, 0, 0], 131.8, atol=0.6)
    assert {*turned.argmax(axis=1)} == {0, 1, 2}
    assert {*color(tf, middle, SEED, hue=0.02).numpy()[:, 0, 0].argmax(axis=1)} == {0}


def test_blur_is_a_gaussian_of_up_to_sigma():
    point = np.zeros((200, 31, 31, 1), "f4")
    point[:, 15, 15] = 255
    blurred = blur(tf, point, SEED, sigma=3.0).numpy()[..., 0]
    np.testing.assert_allclose(blurred.sum(axis=(1, 2)), 255, rtol=1e-4)
    distance = np.arange(31) - 15
    width = np.sqrt((blurred.sum(axis=1) * distance**2).sum(axis=1) / 255)
    assert width.min() < 0.2
    assert width.max() == pytest.approx(2.7, abs=0.2)  # two deviations of it are kept
    flat = np.full((5, 9, 9, 1), 77, "f4")
    np.testing.assert_allclose(blur(tf, flat, SEED, sigma=3.0), flat, rtol=1e-5)


def test_grayscale_has_its_probability():
    grey = grayscale(tf, PHOTOS, SEED, probability=0.3).numpy()
    colourless = np.ptp(grey, axis=3).max(axis=(1, 2)) < 1e-3
    assert colourless.mean() == pytest.approx(0.3, abs=0.08)
    np.testing.assert_array_equal(grey[~colourless], PHOTOS[~colourless])
