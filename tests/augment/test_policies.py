"""RandAugment and TrivialAugment: operations match Pillow's, and each image gets its own."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from stages.augment import policies
from stages.augment.policies import NARROW, WIDE, rand_augment, trivial_augment

PIXELS = np.random.default_rng(1).integers(30, 220, (2, 128, 128, 3), np.uint8)
HALF = 0.5


def operated(name, signed):
    """Apply an operation to PIXELS at half of its strength."""
    operation = getattr(policies, name)
    given = tf.fill([2, 1, 1, 1], HALF), tf.fill([2, 1, 1, 1], signed)
    return np.clip(operation(tf, PIXELS.astype("f4"), *given, WIDE), 0, 255)


def enhanced(kind):
    return lambda image: kind(image).enhance(1 + WIDE.enhance * HALF)


@pytest.mark.parametrize(
    ("name", "pillow", "tolerance"),
    [
        ("_brightness", enhanced(ImageEnhance.Brightness), 1),
        ("_contrast", enhanced(ImageEnhance.Contrast), 2),
        ("_saturation", enhanced(ImageEnhance.Color), 2),
        ("_posterize", lambda image: ImageOps.posterize(image, 8 - WIDE.bits // 2), 0),
        ("_solarize", lambda image: ImageOps.solarize(image, 128), 0),
        ("_autocontrast", ImageOps.autocontrast, 1),
        ("_equalize", ImageOps.equalize, 5),  # Pillow counts in whole steps
    ],
)
def test_an_operation_is_that_of_pillow(name, pillow, tolerance):
    expected = [np.asarray(pillow(Image.fromarray(pixels)), float) for pixels in PIXELS]
    assert np.abs(operated(name, HALF) - expected).max() <= tolerance


def test_sharpness_is_that_of_pillow_but_for_the_edge():
    pillow = [
        np.asarray(ImageEnhance.Sharpness(Image.fromarray(pixels)).enhance(1 + WIDE.enhance * HALF))
        for pixels in PIXELS
    ]
    assert ImageFilter.SMOOTH.filterargs[1] == 13
    inner = np.s_[:, 1:-1, 1:-1]
    assert np.abs(operated("_sharpness", HALF)[inner] - np.array(pillow, float)[inner]).max() <= 2


@pytest.mark.parametrize("name", ["_autocontrast", "_equalize"])
def test_a_flat_image_stays(name):
    flat = np.full((1, 4, 4, 3), 90, "f4")
    np.testing.assert_array_equal(getattr(policies, name)(tf, flat, None, None, WIDE), flat)


def test_each_image_gets_its_own_operation_and_all_occur():
    images = np.repeat(PIXELS[:1, ::4, ::4].astype("f4"), 600, axis=0)
    changed = trivial_augment(tf, images, tf.constant([1, 2])).numpy()
    unchanged = (np.abs(changed - images).max(axis=(1, 2, 3)) < 0.1).mean()
    assert unchanged == pytest.approx(1 / 14, abs=0.05)
    assert len({image.tobytes() for image in changed}) > 400
    twice = rand_augment(tf, images, tf.constant([1, 2]), count=2, magnitude=0.5).numpy()
    same = (np.abs(twice - images).max(axis=(1, 2, 3)) < 0.1).mean()
    assert same < 0.05
    assert len({image.tobytes() for image in twice}) > 100


def test_fourteen_operations_are_equally_likely_and_move_by_their_limits(monkeypatch):
    moved = []
    monkeypatch.setattr(policies, "warp", lambda tf, images, rows: moved.extend(rows) or images)
    colours = [
        lambda tf, images, *given, value=value: tf.fill(tf.shape(images), float(value))
        for value in range(1, 9)
    ]
    monkeypatch.setattr(policies, "OPERATIONS", colours)
    images, half = tf.zeros([1400, 10, 20, 1]), tf.fill([1400], HALF)
    changed = policies._one(tf, images, tf.constant([1, 2]), half, NARROW).numpy()[:, 0, 0, 0]
    cells = [np.broadcast_to(cell, 1400) for row in moved[0] for cell in row]
    rounded = np.round(np.array(cells, np.float64), 4)
    kinds = Counter(map(tuple, rounded[:, changed == 0].T.tolist()))
    cos, sin = np.round([np.cos(np.pi / 12), np.sin(np.pi / 12)], 4)  # half of 30 degrees
    signed = [
        kind
        for sign in (1, -1)
        for kind in (
            (cos, -sign * sin, 0, sign * sin, cos, 0),
            (1, sign * 0.15, 0, 0, 1, 0),
            (1, 0, 0, sign * 0.15, 1, 0),
            (1, 0, sign * 3, 0, 1, 0),
            (1, 0, 0, 0, 1, sign * 1.5),
        )
    ]
    still = (1, 0, 0, 0, 1, 0)
    assert kinds.keys() == {still, *signed}
    assert all(25 <= kinds[kind] <= 80 for kind in signed)  # 50 expected
    often = [kinds[still], *Counter(changed[changed > 0].tolist()).values()]
    assert len(often) == 9
    assert all(65 <= count <= 135 for count in often)  # 100 expected


def test_counting_is_left_to_the_cpu_as_gpus_count_in_no_fixed_order():
    graph = tf.function(lambda images: policies._equalize(tf, images, None, None, WIDE))
    made = graph.get_concrete_function(tf.TensorSpec((None, 4, 4, 3))).graph.get_operations()
    (device,) = (one.device for one in made if one.type.endswith("Bincount"))
    assert "CPU:0" in device
