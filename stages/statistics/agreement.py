"""How several classifiers predict the same n images.

`wrong` is bool (variants, n): which images each variant predicts incorrectly.
"""

import numpy as np


def agreement(predicted: np.ndarray) -> np.ndarray:
    """Return the fraction of images for which two variants predict the same class.

    `predicted` is int (variants, n); the result float (variants, variants), 1 on the diagonal.
    """
    return np.array([(predicted == row).mean(axis=1) for row in predicted])


def hardest(wrong: np.ndarray, p_true: np.ndarray, count: int) -> list[int]:
    """Return at most `count` images that most variants predict incorrectly, the hardest first.

    Of images that equally many variants get wrong, the one with the lowest `p_true` comes first:
    float (n,), the mean probability that the variants give to the true class.
    """
    times = np.count_nonzero(wrong, axis=0)
    order = np.lexsort((np.arange(len(times)), p_true, -times))[:count]
    return [index for index in order.tolist() if times[index]]


def only_one(wrong: np.ndarray) -> list[np.ndarray]:
    """Return for each variant the indices of the images that only it predicts incorrectly."""
    single = np.count_nonzero(wrong, axis=0) == 1
    return [np.flatnonzero(row & single) for row in np.asarray(wrong)]
