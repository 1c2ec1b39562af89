"""Augmentation: an ordered list of named ops, applied to training batches only.

Pixels are float32 in 0-255 throughout; labels are class probabilities. Affine ops only return
transformation matrices. All those of a list are multiplied into one matrix, so that each image is
resampled only once.
"""

from collections.abc import Callable, Sequence

from stages.augment import affine, keys
from stages.augment.affine import AFFINE
from stages.augment.mixing import MIXING
from stages.augment.pixels import PIXELS
from stages.settings.sections import Named

OPS: dict[str, Callable] = {**AFFINE, **PIXELS, **MIXING}


def augmenter(ops: Sequence[Named]) -> Callable:
    """Return the function that augments one batch.

    Args:
        ops: registered names with all of their arguments. They are applied in order, except that
            all affine ops are applied at the position of the first one.

    Returns:
        A function `(images, labels, seed) -> (images, labels)` that TensorFlow can compile:
        images float32 (n, height, width, channels) in 0-255, labels float32 (n, classes), seed
        int32 (2,). The same seed gives the same batch. Without ops it returns its input.
    """
    affine_ops = [op for op in ops if op.name in AFFINE]

    def augment(images, labels, seed):
        if not ops:
            return images, labels
        resampled = False
        for position, op in enumerate(ops):
            key = keys.of_op(seed, position)
            if op.name in MIXING:
                images, labels = MIXING[op.name](images, labels, key, **op.arguments)
            elif op.name in PIXELS:
                images = PIXELS[op.name](images, key, **op.arguments)
            elif not resampled:
                images, resampled = affine.resample(images, affine_ops, seed), True
        return images, labels

    return augment
