"""Augmentation: an ordered list of named ops, applied to training batches and never to the model.

Pixels are float32 in 0-255 all the way, labels are class probabilities. The ops of the affine
family only say where each output pixel comes from; all of a list's are multiplied into one
transformation, so that an image is resampled once however many there are.
"""

from collections.abc import Callable, Sequence

from stages.augment import affine, keys
from stages.augment.affine import AFFINE
from stages.augment.mixing import MIXING
from stages.augment.pixels import PIXELS
from stages.sections import Named

OPS: dict[str, Callable] = {**AFFINE, **PIXELS, **MIXING}


def augmenter(ops: Sequence[Named]) -> Callable:
    """Return the function that augments one batch.

    Args:
        ops: registered names with all of their arguments. They apply in order, but for the affine
            ones, which all apply where the first of them stands.

    Returns:
        A function `(images, labels, seed) -> (images, labels)` that TensorFlow can compile:
        images float32 (n, height, width, channels) in 0-255, labels float32 (n, classes), seed
        int32 (2,). The same seed gives the same batch. Without ops it returns what it is given.
    """
    moves = [op for op in ops if op.name in AFFINE]

    def augment(images, labels, seed):
        if not ops:
            return images, labels
        moved = False
        for position, op in enumerate(ops):
            own = keys.of_op(seed, position)
            if op.name in MIXING:
                images, labels = MIXING[op.name](images, labels, own, **op.arguments)
            elif op.name in PIXELS:
                images = PIXELS[op.name](images, own, **op.arguments)
            elif not moved:
                images, moved = affine.resample(images, moves, seed), True
        return images, labels

    return augment
