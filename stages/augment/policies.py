"""Policies: a few of fourteen operations, drawn again for each image.

RandAugment: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
space" (2020). TrivialAugment: Mueller and Hutter, "TrivialAugment: Tuning-free yet state-of-the-art
data augmentation" (2021), its wide space. Here both have the same operations, as Pillow defines
them; shifts are fractions of the side.
"""

from math import pi
from typing import Annotated, NamedTuple

from pydantic import Field

from stages.augment import keys
from stages.augment.affine import warp
from stages.augment.colors import luma
from stages.augment.pixels import Fraction, pixel


class Limits(NamedTuple):
    """The largest change that each kind of operation makes."""

    degrees: float
    shear: float
    shift: float  # of the side
    enhance: float  # a factor of 1 - x to 1 + x
    bits: int  # that posterizing removes


NARROW = Limits(degrees=30, shear=0.3, shift=0.3, enhance=0.9, bits=4)
WIDE = Limits(degrees=135, shear=0.99, shift=0.5, enhance=0.99, bits=6)


@pixel
def rand_augment(
    tf, images, seed, *, count: Annotated[int, Field(ge=0, le=8)] = 2, magnitude: Fraction = 0.3
):
    """Apply `count` operations one after the other, each at `magnitude`, a fraction of the most."""
    if not magnitude:
        return images
    for number in range(count):
        key = keys.part(tf, seed, number)
        images = _one(tf, images, key, tf.fill([tf.shape(images)[0]], magnitude), NARROW)
    return images


@pixel
def trivial_augment(tf, images, seed, *, magnitude: Fraction = 1.0):
    """Apply one operation at a magnitude drawn between 0 and `magnitude`."""
    if not magnitude:
        return images
    drawn = tf.random.stateless_uniform([tf.shape(images)[0]], keys.part(tf, seed, 3), 0, magnitude)
    return _one(tf, images, seed, drawn, WIDE)


def _one(tf, images, seed, magnitude, limits: Limits):
    """Apply one operation to each image; `magnitude` is float32 (n,) in 0-1."""
    count = tf.shape(images)[0]
    height, width = images.shape[1:3]
    chance = tf.random.stateless_uniform([count], keys.part(tf, seed, 0))
    chosen = tf.cast(chance * (1 + GEOMETRIC + len(OPERATIONS)), tf.int32)  # 0: identity
    right = tf.random.stateless_uniform([count], keys.part(tf, seed, 1)) < 0.5
    signed = tf.where(right, magnitude, -magnitude)

    def only(number: int, value):
        return tf.where(chosen == number, value, 0.0)

    angle = only(1, signed * limits.degrees * (pi / 180))
    cos, sin = tf.cos(angle), tf.sin(angle)
    across, down = (only(2 + axis, signed * limits.shear) for axis in (0, 1))
    right_by = only(4, signed * limits.shift * width)
    down_by = only(5, signed * limits.shift * height)
    rows = ([cos, across - sin, right_by], [sin + down, cos, down_by])
    images = warp(tf, images, [rows])

    chosen, magnitude, signed = (x[:, None, None, None] for x in (chosen, magnitude, signed))
    for number, operation in enumerate(OPERATIONS, 1 + GEOMETRIC):
        changed = tf.clip_by_value(operation(tf, images, magnitude, signed, limits), 0, 255)
        images = tf.where(chosen == number, changed, images)
    return images


GEOMETRIC = 5  # rotate, shear and shift, the last two in each direction


def _brightness(tf, images, magnitude, signed, limits):
    return images * (1 + limits.enhance * signed)


def _contrast(tf, images, magnitude, signed, limits):
    mean = tf.reduce_mean(luma(images), axis=[1, 2], keepdims=True)
    return mean + (images - mean) * (1 + limits.enhance * signed)


def _saturation(tf, images, magnitude, signed, limits):
    grey = luma(images)
    return grey + (images - grey) * (1 + limits.enhance * signed)


def _sharpness(tf, images, magnitude, signed, limits):
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    around = [
        padded[:, row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    smooth = (sum(around[1:], around[0]) + 4 * images) / 13
    return smooth + (images - smooth) * (1 + limits.enhance * signed)


def _posterize(tf, images, magnitude, signed, limits):
    step = 2.0 ** tf.round(magnitude * limits.bits)
    return tf.floor(images / step) * step


def _solarize(tf, images, magnitude, signed, limits):
    return tf.where(images >= 256 * (1 - magnitude), 255 - images, images)


def _autocontrast(tf, images, magnitude, signed, limits):
    low, high = (
        reduce(images, axis=[1, 2], keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max)
    )
    return tf.where(high > low, tf.math.divide_no_nan((images - low) * 255, high - low), images)


def _equalize(tf, images, magnitude, signed, limits):
    height, width, channels = images.shape[1:]
    total = tf.shape(images)[0] * channels
    levels = tf.reshape(tf.transpose(tf.cast(images, tf.int32), [0, 3, 1, 2]), [total, -1])
    levels = tf.clip_by_value(levels, 0, 255) + 256 * tf.range(total)[:, None]
    with tf.device("CPU:0"):  # the kernel for GPUs is not deterministic
        counts = tf.math.bincount(tf.reshape(levels, [-1]), minlength=256 * total)
    below = tf.cumsum(tf.reshape(counts, [total, 256]), axis=1)
    first = tf.reduce_min(tf.where(below > 0, below, height * width), axis=1, keepdims=True)
    table = tf.math.divide_no_nan(
        tf.cast(below - first, tf.float32) * 255, tf.cast(height * width - first, tf.float32)
    )
    equal = tf.gather(tf.reshape(table, [-1]), levels)
    equal = tf.transpose(tf.reshape(equal, [-1, channels, height, width]), [0, 2, 3, 1])
    flat = tf.reshape(first == height * width, [-1, 1, 1, channels])
    return tf.where(flat, images, equal)


OPERATIONS = (
    _brightness,
    _contrast,
    _saturation,
    _sharpness,
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
)
