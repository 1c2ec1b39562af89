"""Fixed views of an image, over which a variant's model averages its predictions.

A view is an affine transformation, which Keras has an operation for: so the model file needs no
code of ours. Colour, noise and the like are left out for that reason.
"""

from collections.abc import Sequence

import numpy as np

from stages.augment.affine import AFFINE
from stages.settings.sections import Named

OPS = (*AFFINE, "flip")


def transforms(ops: Sequence[Named], count: int, seed: int, size: tuple[int, ...]) -> np.ndarray:
    """Return the transformations of all views but the first, which is the image itself.

    The affine ops and `flip` are applied in order. With one direction, `flip` mirrors every second
    view; with both, four views in a row get the four combinations. Affine ops draw for each view.

    Args:
        ops: with all of their arguments.
        count: the number of views, at least 1.
        seed: of the draws; the same one gives the same views, on any processor.
        size: (height, width) in pixels.

    Returns:
        float32 (count - 1, 8), as `keras.ops.image.affine_transform` takes them.
    """
    height, width = size
    found = np.empty((count - 1, 8), np.float32)
    middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    for view in range(1, count):
        matrix = middle
        draw = np.random.default_rng([seed, view]).uniform
        for op in ops:
            if op.name in AFFINE:  # NumPy has the functions that ops take from TensorFlow
                rows = AFFINE[op.name](np, draw, size, **op.arguments)
            elif op.name == "flip":
                rows = _mirrored(view, op.arguments["horizontal"], op.arguments["vertical"])
            else:
                continue
            matrix = matrix @ np.array([*rows, (0, 0, 1)])
        matrix = matrix @ np.linalg.inv(middle)
        # Rounded, as the last bits of sines depend on the processor; + 0.0 turns -0.0 into 0.0.
        found[view - 1] = matrix.ravel()[:8].round(6) + 0.0
    return found


def _mirrored(view: int, horizontal: bool, vertical: bool) -> tuple[list[int], list[int]]:
    """Return the matrix rows of a flip; the number of the view says which directions it mirrors."""
    across = horizontal and view % 2
    down = vertical and (view // (2 if horizontal else 1)) % 2
    return [-1 if across else 1, 0, 0], [0, -1 if down else 1, 0]


def moved(images, transform: np.ndarray):
    """Apply one transformation to images, a tensor (n, height, width, channels), or a symbolic one.

    Interpolation is bilinear, and what lies outside the image is black, as in augmentation.
    """
    import keras

    return keras.ops.image.affine_transform(
        images, transform, fill_mode="constant", data_format="channels_last"
    )


def stacked(model) -> int:
    """Return how many views a Keras model stacks along its batch: 1 without `moved`."""
    operations = getattr(model, "operations", ())
    return 1 + sum(one.name.startswith("affine_transform") for one in operations)
