"""Random keys: every draw of every op has a key of its own, derived from its batch's key.

`stateless_fold_in(key, n)` returns [hash of key, n], so two places that fold the same number into
the same key would draw the same values. All keys are therefore made here. A key is int32 (2,).
"""


def of_affine_draw(batch, number: int):
    """Return the key of an affine draw; `number` counts the draws of all affine ops from 1."""
    return part(batch, number)


def of_op(batch, position: int):
    """Return the key of a pixel or mixing op; `position` is its place in the list, from 0.

    It is folded in below 0, which no affine draw has.
    """
    return part(part(batch, 0), position)


def part(key, number: int):
    """Return a key for one of several draws; `number` is at least 0."""
    import tensorflow as tf

    return tf.random.experimental.stateless_fold_in(key, number)
