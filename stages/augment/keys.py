"""Random keys: derive a distinct key for every draw of every op from the batch's key.

`stateless_fold_in(key, n)` returns [hash of key, n], so folding the same number into the same key
twice gives the same random values. All keys are therefore derived here. A key is int32 (2,).
"""


def of_batch(epoch, start):
    """Return the key of a batch: distinct for at least 1,000 epochs of any batch size.

    Args:
        epoch: the key of an epoch, int32 (2,): the fold's seed and the number of the epoch.
        start: how many images of the epoch come before the batch.
    """
    import tensorflow as tf

    return epoch + tf.stack([0, start * 1000])


def of_affine_draw(batch, number: int):
    """Return the key of an affine draw; `number` counts draws over all affine ops, from 1."""
    return part(batch, number)


def of_op(batch, position: int):
    """Return the key of a pixel or mixing op; `position` is its index in the list.

    It is derived from fold-in number 0, which affine draws do not use.
    """
    return part(part(batch, 0), position)


def part(key, number: int):
    """Return the key of one of several draws; `number` is at least 0."""
    import tensorflow as tf

    return tf.random.experimental.stateless_fold_in(key, number)
