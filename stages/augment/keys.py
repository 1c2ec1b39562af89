"""Random keys, int32 (2,): derive a distinct one for every draw of every op.

`stateless_fold_in(key, n)` returns [hash of key, n], so folding the same number into the same key
twice gives the same random values. All keys are therefore derived here.
"""


def of_batch(tf, epoch_key, start):
    """Return the key of a batch: distinct for at least 1,000 epochs of any batch size.

    `epoch_key` has the fold's seed and the number of the epoch; `start` is the number of images in
    the epoch before this batch.
    """
    return epoch_key + tf.stack([0, start * 1000])


def of_op(tf, batch, position: int):
    """Return the key of a pixel or mixing op; `position` is its index in the list."""
    return part(tf, part(tf, batch, 0), position)


def part(tf, key, number: int):
    """Return the key of one of several draws.

    Affine draws are parts of the batch's key, numbered from 1 over all affine ops; number 0 is left
    to the other ops.
    """
    return tf.random.experimental.stateless_fold_in(key, number)
