"""Affine ops: rotation, zoom, shift, shear and crop, combined into one resampling.

An op is a function `(tf, draw, size, *, arguments) -> rows`. `draw(low, high)` returns one uniform
random number per image, float32 (n,); `size` is (height, width) in pixels. The result is the first
two rows of a 3x3 matrix, each cell a number or float32 (n,). The matrix maps output coordinates
(x, y, 1), in pixels from the image's centre, to the input coordinates to sample.
"""

import itertools
from collections.abc import Callable, Sequence
from math import pi
from typing import Annotated

from pydantic import Field

from stages.augment import keys
from stages.settings.registry import register
from stages.settings.sections import Named

AFFINE: dict[str, Callable] = {}
affine = register(AFFINE)

Fraction = Annotated[float, Field(ge=0, lt=1)]
Rows = tuple[Sequence, Sequence]  # the first two of a matrix


@affine
def rotate(tf, draw, size, *, degrees: Annotated[float, Field(ge=0, le=180)]):
    """Rotate by a random angle of up to `degrees` in either direction."""
    angle = draw(-degrees, degrees) * (pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return [cos, -sin, 0.0], [sin, cos, 0.0]


@affine
def zoom(tf, draw, size, *, factor: Fraction):
    """Scale by a random factor between 1 - `factor` and 1 + `factor`."""
    scale = 1.0 / draw(1.0 - factor, 1.0 + factor)
    return [scale, 0.0, 0.0], [0.0, scale, 0.0]


@affine
def shift(tf, draw, size, *, fraction: Fraction, whole: bool = False):
    """Translate by a random fraction of height and width, up to `fraction` of each.

    `whole` rounds to whole pixels, so that the image is not blurred.
    """
    height, width = size
    across = draw(-fraction, fraction) * width
    down = draw(-fraction, fraction) * height
    if whole:
        across, down = tf.round(across), tf.round(down)
    return [1.0, 0.0, across], [0.0, 1.0, down]


@affine
def shear(tf, draw, size, *, degrees: Annotated[float, Field(ge=0, le=60)]):
    """Shear horizontally by a random angle of up to `degrees` in either direction."""
    slope = tf.tan(draw(-degrees, degrees) * (pi / 180))
    return [1.0, slope, 0.0], [0.0, 1.0, 0.0]


@affine
def crop(tf, draw, size, *, area: Fraction, stretch: Fraction = 0.25):
    """Cut out a part and enlarge it to the whole image: a random resized crop.

    The part has 1 - `area` to 1 of the image's area; its proportions are changed by a factor of up
    to 1 + `stretch` in either direction, as far as it stays inside.
    """
    height, width = size
    part = draw(1.0 - area, 1.0)
    ratio = (1.0 + stretch) ** draw(-1.0, 1.0)
    ratio = tf.minimum(tf.maximum(ratio, part), 1.0 / part)
    across = tf.minimum(tf.sqrt(part * ratio), 1.0)  # 1 may be exceeded by rounding
    down = tf.minimum(tf.sqrt(part / ratio), 1.0)
    right_by = draw(-0.5, 0.5) * (1.0 - across) * (width - 1)
    down_by = draw(-0.5, 0.5) * (1.0 - down) * (height - 1)
    return [across, 0.0, right_by], [0.0, down, down_by]


def resample(tf, images, ops: Sequence[Named], seed):
    """Apply affine ops in order by one bilinear resampling; pixels outside the image are black.

    Images and `seed`, the batch's key, are as in `augmenter`; each draw derives its own key.
    """
    count = tf.shape(images)[0]
    numbers = itertools.count(1)

    def draw(low: float, high: float):
        key = keys.part(tf, seed, next(numbers))
        return tf.random.stateless_uniform([count], key, low, high)

    size = images.shape[1:3]
    return warp(tf, images, [AFFINE[op.name](tf, draw, size, **op.arguments) for op in ops])


def warp(tf, images, transformations: Sequence[Rows]):
    """Apply transformations, each as an op returns it, in order by one bilinear resampling."""
    count = tf.shape(images)[0]
    height, width = images.shape[1:3]

    def matrix(first, second):
        cells = [tf.broadcast_to(cell, [count]) for cell in (*first, *second, 0.0, 0.0, 1.0)]
        return tf.reshape(tf.stack(cells, axis=-1), [count, 3, 3])

    def product(one, other):
        """Multiply by element-wise kernels: those of matrix products round by processor."""
        return tf.reduce_sum(one[:, :, :, None] * other[:, None], axis=2)

    # Matrices map output to input, so the last op comes first.
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    matrices = matrix([1.0, 0.0, middle_x], [0.0, 1.0, middle_y])
    for rows in transformations:
        matrices = product(matrices, matrix(*rows))
    matrices = product(matrices, matrix([1.0, 0.0, -middle_x], [0.0, 1.0, -middle_y]))
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.reshape(matrices, [count, 9])[:, :8],
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
