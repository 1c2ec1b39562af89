"""The interval of a mean over images, by resampling the images with replacement.

Sources:
    B. Efron, "Better Bootstrap Confidence Intervals", Journal of the American Statistical
        Association 82, 1987, doi:10.1080/01621459.1987.10478410: BCa, equation 2.3; its
        acceleration from the jackknife, equation 6.6.
"""

import numpy as np
from scipy.special import ndtr, ndtri

CERTAIN = 0.95
RESAMPLES = 9_999
SEED = 1


def mean_interval(values: np.ndarray, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return the 95 % BCa interval of a mean; the same every time.

    Drawing n images with replacement draws the number of times that each distinct value comes, from
    a multinomial distribution: so a resample costs as little as there are distinct values.

    Args:
        values: float or bool (n,), one an image, n at least 1; few distinct ones. Whether each is
            right gives the interval of the accuracy; right minus right of another model that of
            their difference, paired by image.
        resamples: how many are drawn.

    Returns:
        The lower and the upper end. Values that are all equal give that value twice, which claims
        too much: resampling knows nothing that it has not seen. `interval.wilson` does not.
    """
    distinct, inverse, counts = np.unique(
        np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True
    )
    n, mean = len(inverse), float(distinct @ counts / len(inverse))
    if len(distinct) == 1:
        return mean, mean
    drawn = np.random.default_rng(SEED).multinomial(n, counts / n, size=resamples)
    means = drawn @ distinct / n
    slack = 1e-12  # the same counts, summed in another order
    below = (np.mean(means < mean - slack) + np.mean(means <= mean + slack)) / 2
    bias = ndtri(np.clip(below, 1 / resamples, 1 - 1 / resamples))
    away = distinct - mean
    acceleration = (counts @ away**3) / (6 * (counts @ away**2) ** 1.5)
    normal = bias + ndtri([(1 - CERTAIN) / 2, (1 + CERTAIN) / 2])
    low, high = np.quantile(means, ndtr(bias + normal / (1 - acceleration * normal)))
    return float(low), float(high)
