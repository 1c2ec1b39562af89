"""Power of the corrected resampled t test: the minimum detectable effect, and repeats needed.

The power is that of one two-sided test at 5 %, before Holm's correction, given the true difference
and the observed variance of differences between folds: t then follows the noncentral t
distribution with the degrees of freedom of that variance.

Repeating k folds r times divides only the first part of the corrected variance (1 / (k r) +
1 / (k - 1)) * s2 (see paired.py): repeats share their images, so the second part stays. It sets a
limit below which no number of repeats detects a difference.
"""

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, norm
from scipy.stats import t as student

from stages.statistics.paired import SIGNIFICANCE, Variance

POWER = 0.8  # the convention: four of five experiments detect the difference
MOST_FOLDS = 1_000_000


class MinimumDetectable(NamedTuple):
    """What a comparison can detect with a power of 80 %; effects are fractions."""

    effect: float  # the smallest true difference that these folds detect
    limit: float  # the same with unlimited repeats
    repeats: int | None  # needed to detect a difference of a given size; None: no number suffices


def minimum_detectable(variance: Variance, n: int, folds: int, size: float) -> MinimumDetectable:
    """Return the minimum detectable effect, and the repeats needed to detect `size`, a fraction.

    `variance` is that of `paired.variances` for n = folds * repeats.
    """
    std, prior = math.sqrt(variance.value), variance.freedom - (n - 1)
    effect = std * brentq(lambda effect: power(effect, n, folds, prior) - POWER, 0, 1e3)
    limit = float(norm.ppf(1 - SIGNIFICANCE / 2) + norm.ppf(POWER)) * std / math.sqrt(folds - 1)
    repeats = _repeats(folds, size / std, prior) if size > limit else None
    return MinimumDetectable(effect, limit, repeats)


def power(effect: float, n: int, folds: int, prior: float = 0.0) -> float:
    """Return the probability that the test with n = folds * repeats detects a true difference.

    `effect` is that difference over the standard deviation of differences between folds, which has
    n - 1 degrees of freedom and those of its prior, the variances of other variants.
    """
    shift = abs(effect) / math.sqrt(1 / n + 1 / (folds - 1))
    freedom = n - 1 + prior
    critical = student.ppf(1 - SIGNIFICANCE / 2, freedom)
    below = nct.cdf([critical, -critical], freedom, shift)
    missed, opposite = np.nan_to_num(below)  # scipy returns NaN where the probability vanishes
    return float(1 - missed + opposite)


def _repeats(folds: int, effect: float, prior: float) -> int | None:
    """Return the fewest repeats with a power of POWER; None beyond MOST_FOLDS folds."""
    repeats = range(1, MOST_FOLDS // folds + 1)
    found = bisect_left(
        repeats, POWER, key=lambda count: power(effect, folds * count, folds, prior)
    )
    return repeats[found] if found < len(repeats) else None
