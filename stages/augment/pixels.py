"""Pixel ops: elastic distortion, erasing, noise, brightness and flips; labels do not change.

An op is a function `(tf, images, seed, *, arguments) -> images`; see `augmenter`.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from stages.settings.registry import register

PIXELS: dict[str, Callable] = {}
pixel = register(PIXELS)

Fraction = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[float, Field(ge=0, le=100)]
Sigma = Annotated[float, Field(gt=0, le=50)]


@pixel
def elastic(tf, images, seed, *, pixels: Pixels, sigma: Sigma = 4.0):
    """Distort by a random displacement field, smoothed by a Gaussian of width `sigma` pixels.

    `pixels` is the standard deviation of the displacements in each direction. Interpolation is
    bilinear; pixels outside the image are black. After Simard, Steinkraus and Platt, "Best
    practices for convolutional neural networks" (2003), except that the field is scaled by its
    expected rather than its actual norm.
    """
    height, width = images.shape[1:3]
    radius = round(3 * sigma)

    def smoother(side: int):
        """Return a Gaussian filter as a matrix, side x (side + 2 radius), with rows of norm 1."""
        distance = np.arange(side + 2 * radius) - radius - np.arange(side)[:, None]
        bell = np.where(abs(distance) <= radius, np.exp(-((distance / sigma) ** 2) / 2), 0)
        return tf.constant(bell / np.linalg.norm(bell, axis=1, keepdims=True), tf.float32)

    # Not a product of batches of matrices, which rounds differently by processor.
    count = tf.shape(images)[0]
    noise = tf.random.stateless_normal([2 * count, height + 2 * radius, width + 2 * radius], seed)
    smooth = tf.tensordot(tf.tensordot(noise, smoother(width), [2, 1]), smoother(height), [1, 1])
    displacement = pixels * tf.transpose(smooth, [0, 2, 1])
    down = tf.range(height, dtype=tf.float32)[:, None] + displacement[:count]
    across = tf.range(width, dtype=tf.float32) + displacement[count:]
    return _bilinear(tf, images, down, across)


def _bilinear(tf, images, down, across):
    """Sample images at rows `down` and columns `across`, each float32 (n, height, width)."""
    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [1, 2], [1, 2], [0, 0]])  # black on every side
    down = tf.clip_by_value(down, -1, height) + 1
    across = tf.clip_by_value(across, -1, width) + 1
    top, left = tf.floor(down), tf.floor(across)
    part_down, part_across = (down - top)[..., None], (across - left)[..., None]
    row, column = tf.cast(top, tf.int32), tf.cast(left, tf.int32)

    def line(row):
        one = tf.gather_nd(padded, tf.stack([row, column], -1), batch_dims=1)
        next_one = tf.gather_nd(padded, tf.stack([row, column + 1], -1), batch_dims=1)
        return one + (next_one - one) * part_across

    upper = line(row)
    return upper + (line(row + 1) - upper) * part_down


@pixel
def random_erasing(tf, images, seed, *, fraction: Fraction):
    """Black out a random rectangle; each side is up to `fraction` of the image's.

    After Zhong et al., "Random erasing data augmentation" (2020).
    """
    random = tf.random.stateless_uniform([4, tf.shape(images)[0], 1], seed)
    inside = []
    for axis, side in enumerate(images.shape[1:3]):
        length, position = random[2 * axis] * fraction * side, random[2 * axis + 1]
        start = position * (side - length)
        pixel_centres = tf.range(side, dtype=tf.float32) + 0.5
        inside.append((pixel_centres >= start) & (pixel_centres < start + length))
    rectangle = inside[0][:, :, None] & inside[1][:, None, :]
    return tf.where(rectangle[..., None], 0.0, images)


@pixel
def noise(tf, images, seed, *, deviation: Annotated[float, Field(ge=0, le=255)]):
    """Add Gaussian noise with a standard deviation of `deviation`, in units of 0-255."""
    added = tf.random.stateless_normal(tf.shape(images), seed, stddev=deviation)
    return tf.clip_by_value(images + added, 0, 255)


@pixel
def brightness(tf, images, seed, *, factor: Fraction):
    """Scale the brightness by a random factor between 1 - `factor` and 1 + `factor`."""
    shape = [tf.shape(images)[0], 1, 1, 1]
    scale = tf.random.stateless_uniform(shape, seed, 1 - factor, 1 + factor)
    return tf.clip_by_value(images * scale, 0, 255)


@pixel
def flip(tf, images, seed, *, horizontal: bool = True, vertical: bool = False, force: bool = False):
    """Mirror images with probability 1/2, independently in each enabled direction.

    `stages.engine.resolve.check_data` rejects this op for digits, which are not symmetric, unless
    `force` is set.
    """
    chance = tf.random.stateless_uniform([2, tf.shape(images)[0], 1, 1, 1], seed)
    if horizontal:
        images = tf.where(chance[0] < 0.5, tf.reverse(images, [2]), images)
    if vertical:
        images = tf.where(chance[1] < 0.5, tf.reverse(images, [1]), images)
    return images
