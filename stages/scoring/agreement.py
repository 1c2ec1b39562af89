"""What several classifiers make of the same images: where they agree, and where only one fails.

`wrong` is, for all, bool (variants, n): which of n images each variant predicts wrongly.
"""

import numpy as np


def agreement(predicted: np.ndarray) -> np.ndarray:
    """Return the share of images for which two variants predict the same class.

    Args:
        predicted: int (variants, n), n at least 1.

    Returns:
        float (variants, variants), symmetric, 1 on the diagonal.
    """
    predicted = np.asarray(predicted)
    count, n = predicted.shape
    share = np.ones((count, count))
    for row in range(count - 1):
        same = np.count_nonzero(predicted[row + 1 :] == predicted[row], axis=1) / n
        share[row, row + 1 :] = share[row + 1 :, row] = same
    return share


def hardest(wrong: np.ndarray, likelihood: np.ndarray, count: int) -> list[int]:
    """Return the images that most variants predict wrongly, the hardest first.

    Args:
        wrong: see the head of this file.
        likelihood: float (n,), the mean probability that the variants give to the true class; of
            two images that equally many get wrong, the less probable one is harder.
        count: how many to return at most; images that all get right are left out.
    """
    times = np.count_nonzero(wrong, axis=0)
    order = np.lexsort((np.arange(len(times)), likelihood, -times))[:count]
    return [index for index in order.tolist() if times[index]]


def only_one(wrong: np.ndarray) -> list[np.ndarray]:
    """Return for each variant the indices of the images that it alone predicts wrongly."""
    alone = np.count_nonzero(wrong, axis=0) == 1
    return [np.flatnonzero(row & alone) for row in np.asarray(wrong, bool)]
