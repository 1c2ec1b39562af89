"""Augmentation: an ordered list of named ops, applied to training batches and never to the model.

Pixels are float32 in 0-255 all the way, labels are class probabilities. The ops of the affine
family only say where each output pixel comes from; all of a list's are multiplied into one
transformation, so that an image is resampled once however many there are.
"""

from collections.abc import Callable, Sequence

from stages.augment import affine
from stages.augment.affine import AFFINE
from stages.params import Named

OPS: dict[str, Callable] = {**AFFINE}


def augmenter(ops: Sequence[Named]) -> Callable:
    """Return the function that augments one batch.

    Args:
        ops: registered names with all of their arguments, in order.

    Returns:
        A function `(images, labels, seed) -> (images, labels)` that TensorFlow can compile:
        images float32 (n, height, width, channels) in 0-255, labels float32 (n, classes), seed
        int32 (2,). The same seed gives the same batch. Without ops it returns what it is given.
    """
    moves = [op for op in ops if op.name in AFFINE]

    def augment(images, labels, seed):
        if moves:
            images = affine.resample(images, moves, seed)
        return images, labels

    return augment
