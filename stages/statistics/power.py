"""Power of the corrected resampled t test: the minimum detectable effect, and repeats needed.

The power is that of one two-sided test at 5 %, before Holm's correction, given the true difference
and the observed variance of differences between folds: t then follows the noncentral t
distribution with n - 1 degrees of freedom.

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

from stages.statistics.paired import ROUNDING, SIGNIFICANCE

POWER = 0.8  # the convention: four of five experiments detect the difference
MOST_FOLDS = 1_000_000


class MinimumDetectable(NamedTuple):
    """What a comparison can detect with a power of 80 %; effects are fractions."""

    effect: float  # the smallest true difference that these folds detect
    limit: float  # the same with unlimited repeats
    repeats: int | None  # needed to detect a difference of a given size; None: no number suffices


def minimum_detectable(difference: np.ndarray, folds: int, size: float) -> MinimumDetectable | None:
    """Return the minimum detectable effect, and the repeats needed to detect `size`, a fraction.

    `difference` and `folds` are as in paired.py. A constant difference, which has no variance to
    estimate power from, gives None.
    """
    if np.ptp(difference) < ROUNDING:
        return None
    std, n = float(np.std(difference, ddof=1)), len(difference)
    effect = std * brentq(lambda effect: power(effect, n, folds) - POWER, 0, 1e3)
    limit = float(norm.ppf(1 - SIGNIFICANCE / 2) + norm.ppf(POWER)) * std / math.sqrt(folds - 1)
    return MinimumDetectable(effect, limit, _repeats(folds, size / std) if size > limit else None)


def power(effect: float, n: int, folds: int) -> float:
    """Return the probability that the test with n = folds * repeats detects a true difference.

    `effect` is that difference over the standard deviation of differences between folds.
    """
    shift = abs(effect) / math.sqrt(1 / n + 1 / (folds - 1))
    critical = student.ppf(1 - SIGNIFICANCE / 2, n - 1)
    below = nct.cdf([critical, -critical], n - 1, shift)
    missed, opposite = np.nan_to_num(below)  # scipy returns NaN where the probability vanishes
    return float(1 - missed + opposite)


def _repeats(folds: int, effect: float) -> int | None:
    """Return the fewest repeats with a power of POWER; None beyond MOST_FOLDS folds."""
    repeats = range(1, MOST_FOLDS // folds + 1)
    found = bisect_left(repeats, POWER, key=lambda count: power(effect, folds * count, folds))
    return repeats[found] if found < len(repeats) else None
