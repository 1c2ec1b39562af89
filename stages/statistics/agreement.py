"""How several classifiers predict the same images: where they agree, and where only one fails.

`wrong` is always bool (variants, n): which of n images each variant predicts incorrectly.
"""

import numpy as np


def agreement(predicted: np.ndarray) -> np.ndarray:
    """Return the fraction of images for which two variants predict the same class.

    Args:
        predicted: int (variants, n), n at least 1.

    Returns:
        float (variants, variants), symmetric, 1 on the diagonal.
    """
    predicted = np.asarray(predicted)
    return np.array([(predicted == row).mean(axis=1) for row in predicted])


def hardest(wrong: np.ndarray, p_true: np.ndarray, count: int) -> list[int]:
    """Return the images that most variants predict incorrectly, the hardest first.

    Args:
        wrong: see the module docstring.
        p_true: float (n,), mean probability that the variants give to the true class; it orders
            images that equally many variants get wrong, the lowest first.
        count: maximum number of images; those that all variants get right are left out.
    """
    times = np.count_nonzero(wrong, axis=0)
    order = np.lexsort((np.arange(len(times)), p_true, -times))[:count]
    return [index for index in order.tolist() if times[index]]


def only_one(wrong: np.ndarray) -> list[np.ndarray]:
    """Return for each variant the indices of the images that only it predicts incorrectly."""
    single = np.count_nonzero(wrong, axis=0) == 1
    return [np.flatnonzero(row & single) for row in np.asarray(wrong, bool)]
