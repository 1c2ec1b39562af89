"""Affine ops: rotation, zoom, shift and shear, combined into one resampling.

An op is a function `(draw, size, *, arguments) -> matrices`: `draw(low, high)` returns one uniform
random number per image, float32 (n,), and the result is float32 (n, 3, 3). A matrix maps output
coordinates (x, y, 1), in pixels from the image's centre, to the input coordinates to sample.
TensorFlow is imported inside the functions, so that names and arguments can be checked without it.
"""

from collections.abc import Callable, Sequence
from math import pi
from typing import Annotated

from pydantic import Field

from stages.augment import keys
from stages.settings.registry import register
from stages.settings.sections import Named

AFFINE: dict[str, Callable] = {}
affine = register(AFFINE)

Size = tuple[int, int]  # height and width in pixels


@affine
def rotate(draw: Callable, size: Size, *, degrees: Annotated[float, Field(ge=0, le=180)]):
    """Rotate by a random angle of up to `degrees` in either direction."""
    import tensorflow as tf

    angle = draw(-degrees, degrees) * (pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return _matrices([[cos, -sin, 0.0], [sin, cos, 0.0]])


@affine
def zoom(draw: Callable, size: Size, *, factor: Annotated[float, Field(ge=0, lt=1)]):
    """Scale by a random factor between 1 - `factor` and 1 + `factor`."""
    scale = 1.0 / draw(1.0 - factor, 1.0 + factor)
    return _matrices([[scale, 0.0, 0.0], [0.0, scale, 0.0]])


@affine
def shift(
    draw: Callable,
    size: Size,
    *,
    fraction: Annotated[float, Field(ge=0, lt=1)],
    whole: bool = False,
):
    """Translate by a random fraction of height and width, up to `fraction` of each.

    `whole` rounds to whole pixels, so that the image is not blurred.
    """
    import tensorflow as tf

    height, width = size
    across = draw(-fraction, fraction) * width
    down = draw(-fraction, fraction) * height
    if whole:
        across, down = tf.round(across), tf.round(down)
    return _matrices([[1.0, 0.0, across], [0.0, 1.0, down]])


@affine
def shear(draw: Callable, size: Size, *, degrees: Annotated[float, Field(ge=0, le=60)]):
    """Shear horizontally by a random angle of up to `degrees` in either direction."""
    import tensorflow as tf

    slope = tf.tan(draw(-degrees, degrees) * (pi / 180))
    return _matrices([[1.0, slope, 0.0], [0.0, 1.0, 0.0]])


def resample(images, ops: Sequence[Named], seed):
    """Apply affine ops in order by one bilinear resampling; pixels outside the image are black.

    Args:
        images: float32 (n, height, width, channels).
        ops: names of `AFFINE` with their arguments.
        seed: int32 (2,); each draw derives its own key from it.

    Returns:
        Images of the same shape, dtype and range.
    """
    import tensorflow as tf

    count = tf.shape(images)[0]
    height, width = images.shape[1:3]
    draws = 0

    def draw(low: float, high: float):
        nonlocal draws
        draws += 1
        return tf.random.stateless_uniform([count], keys.of_affine_draw(seed, draws), low, high)

    # Matrices map output to input, so the last op comes first.
    matrices = tf.eye(3, batch_shape=[count])
    for op in ops:
        matrices = matrices @ AFFINE[op.name](draw, (height, width), **op.arguments)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    to_centre = tf.constant([[1.0, 0.0, -middle_x], [0.0, 1.0, -middle_y], [0.0, 0.0, 1.0]])
    from_centre = tf.constant([[1.0, 0.0, middle_x], [0.0, 1.0, middle_y], [0.0, 0.0, 1.0]])
    matrices = from_centre @ matrices @ to_centre
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.reshape(matrices, [count, 9])[:, :8],
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _matrices(rows: list[list]):
    """Stack two rows of numbers or (n,) tensors and the row 0 0 1 into float32 (n, 3, 3)."""
    import tensorflow as tf

    like = next(cell for row in rows for cell in row if not isinstance(cell, float))
    rows = [*rows, [0.0, 0.0, 1.0]]
    cells = [[tf.fill(tf.shape(like), c) if isinstance(c, float) else c for c in r] for r in rows]
    return tf.stack([tf.stack(row, axis=-1) for row in cells], axis=-2)
