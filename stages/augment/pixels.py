"""Pixel ops: elastic distortion, erasing, noise, brightness and flips; labels stay.

An op is a function `(images, seed, *, arguments) -> images`: images float32 (n, height, width,
channels) in 0-255 with n unknown until it runs, seed int32 (2,). TensorFlow is imported inside
the functions, so that a stage can check an op's name and arguments without it.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from stages.registry import register

PIXELS: dict[str, Callable] = {}
pixel = register(PIXELS)


@pixel
def elastic(
    images,
    seed,
    *,
    pixels: Annotated[float, Field(ge=0, le=100)],
    sigma: Annotated[float, Field(gt=0, le=50)] = 4.0,
):
    """Bend by random displacements, smooth over about `sigma` pixels.

    `pixels` is their standard deviation, down and across. Bilinear; what comes from outside is
    black. After Simard, Steinkraus and Platt, "Best practices for convolutional neural networks"
    (2003), with the field scaled by its expected instead of its drawn size.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    reach = round(3 * sigma)

    def smoother(side: int):
        """Return the matrix of a Gaussian filter, side x (side + 2 reach), of unit rows."""
        place = np.arange(side + 2 * reach) - reach - np.arange(side)[:, None]
        bell = np.where(abs(place) <= reach, np.exp(-((place / sigma) ** 2) / 2), 0)
        return tf.constant(bell / np.linalg.norm(bell, axis=1, keepdims=True), tf.float32)

    shape = [2, tf.shape(images)[0], height + 2 * reach, width + 2 * reach]
    noise = tf.random.stateless_normal(shape, seed)
    move = pixels * (smoother(height) @ (noise @ tf.transpose(smoother(width))))
    down = tf.range(height, dtype=tf.float32)[:, None] + move[0]
    across = tf.range(width, dtype=tf.float32) + move[1]
    return _bilinear(images, down, across)


def _bilinear(images, down, across):
    """Return the colours at rows `down` and columns `across`, each float32 (n, height, width)."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    framed = tf.pad(images, [[0, 0], [1, 2], [1, 2], [0, 0]])  # black on every side
    down = tf.clip_by_value(down, -1, height) + 1
    across = tf.clip_by_value(across, -1, width) + 1
    top, left = tf.floor(down), tf.floor(across)
    part_down, part_across = (down - top)[..., None], (across - left)[..., None]
    row, column = tf.cast(top, tf.int32), tf.cast(left, tf.int32)

    def line(row):
        one, next_one = (
            tf.gather_nd(framed, tf.stack([row, column + step], -1), batch_dims=1)
            for step in (0, 1)
        )
        return one + (next_one - one) * part_across

    upper = line(row)
    return upper + (line(row + 1) - upper) * part_down


@pixel
def erase(images, seed, *, fraction: Annotated[float, Field(ge=0, le=1)]):
    """Blacken a rectangle at a random place, each side at most `fraction` of the image's.

    After Zhong et al., "Random erasing data augmentation" (2020).
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    random = tf.random.stateless_uniform([4, tf.shape(images)[0], 1], seed)
    inside = []
    for side, length, place in ((height, random[0], random[1]), (width, random[2], random[3])):
        length = length * fraction * side
        start = place * (side - length)
        middles = tf.range(side, dtype=tf.float32) + 0.5
        inside.append((middles >= start) & (middles < start + length))
    rectangle = inside[0][:, :, None] & inside[1][:, None, :]
    return tf.where(rectangle[..., None], 0.0, images)


@pixel
def noise(images, seed, *, deviation: Annotated[float, Field(ge=0, le=255)]):
    """Add Gaussian noise with a standard deviation of `deviation` grey levels, 0 to 255."""
    import tensorflow as tf

    added = tf.random.stateless_normal(tf.shape(images), seed, stddev=deviation)
    return tf.clip_by_value(images + added, 0, 255)


@pixel
def brightness(images, seed, *, factor: Annotated[float, Field(ge=0, le=1)]):
    """Multiply all pixels by one random number between 1 - `factor` and 1 + `factor`."""
    import tensorflow as tf

    shape = [tf.shape(images)[0], 1, 1, 1]
    times = tf.random.stateless_uniform(shape, seed, 1 - factor, 1 + factor)
    return tf.clip_by_value(images * times, 0, 255)


@pixel
def flip(images, seed, *, horizontal: bool = True, vertical: bool = False, force: bool = False):
    """Mirror every second image or so, left to right and top to bottom each on its own.

    Digits are not symmetric: for them `stages.engine.resolve.check_data` refuses this without
    `force`.
    """
    import tensorflow as tf

    chance = tf.random.stateless_uniform([2, tf.shape(images)[0], 1, 1, 1], seed)
    if horizontal:
        images = tf.where(chance[0] < 0.5, tf.reverse(images, [2]), images)
    if vertical:
        images = tf.where(chance[1] < 0.5, tf.reverse(images, [1]), images)
    return images
