"""Augmentation: an ordered list of named ops, applied to training batches only.

Ops take TensorFlow as their first argument, so that names and arguments can be checked without
importing it, then those of `augment` below. Their keyword-only arguments are settings.
"""

from collections.abc import Callable, Sequence

from stages.augment import colors, keys, policies  # noqa: F401 - fill the registry PIXELS
from stages.augment.affine import AFFINE, resample
from stages.augment.mixing import MIXING
from stages.augment.pixels import PIXELS
from stages.settings.sections import Named

OPS: dict[str, Callable] = {**AFFINE, **PIXELS, **MIXING}


def augmenter(ops: Sequence[Named]) -> Callable:
    """Return a function `augment(images, labels, seed) -> (images, labels)` for `tf.function`.

    Images are float32 (n, height, width, channels) in 0-255, labels float32 (n, classes) that sum
    to 1, the seed int32 (2,); n is unknown when traced. The same seed gives the same batch.

    Ops, with all of their arguments, are applied in order, except that all affine ops are applied
    at the position of the first one, so that each image is resampled only once.
    """
    affine_ops = [op for op in ops if op.name in AFFINE]
    first_affine = next((n for n, op in enumerate(ops) if op.name in AFFINE), None)

    def augment(images, labels, seed):
        import tensorflow as tf

        for position, op in enumerate(ops):
            key = keys.of_op(tf, seed, position)
            if op.name in MIXING:
                images, labels = MIXING[op.name](tf, images, labels, key, **op.arguments)
            elif op.name in PIXELS:
                images = PIXELS[op.name](tf, images, key, **op.arguments)
            elif position == first_affine:
                images = resample(tf, images, affine_ops, seed)
        return images, labels

    return augment
