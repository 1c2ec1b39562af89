"""How small a difference the corrected resampled t test can see, and what more repeats would bring.

The power is that of the two-sided test at 5 % when the true difference is as given, with the
variance of differences between folds that was observed: t then follows the noncentral t
distribution with n - 1 degrees of freedom. It is reckoned for one test, before Holm's correction.

Repeating k folds r times divides only the first part of the corrected variance (1 / (k r) +
1 / (k - 1)) * s2: repeats share their images, so the second part stays, and with it a floor below
which no number of repeats sees anything.

Source:
    C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
        doi:10.1023/A:1024068626366: the variance; the power of its test is Student's.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtr, ndtri, stdtrit

from stages.scoring.statistics import ROUNDING, SIGNIFICANT

POWER = 0.8  # the convention: a difference is seen in four of five experiments


class Sight(NamedTuple):
    """What a comparison can see; differences are fractions."""

    detectable: float  # the smallest true difference seen with a power of 80 %
    floor: float  # the same with repeats without end
    repeats: int | None  # needed to see a difference of the asked size; None: no number suffices


def sight(difference: np.ndarray, folds: int, size: float) -> Sight | None:
    """Return what the test sees now, and how many repeats would let it see `size`.

    Args:
        difference: float (n,), of the folds, as `corrected_resampled_t` takes it.
        folds: k of the cross-validation, at least 2; n is a multiple of it.
        size: the true difference to be seen, a fraction, such as the ROPE.

    Returns:
        None where the difference is constant: there is no variance to reckon with.
    """
    difference = np.asarray(difference, dtype=np.float64)
    if np.ptp(difference) < ROUNDING:
        return None
    deviation = float(difference.std(ddof=1))
    normal = float(ndtri(1 - SIGNIFICANT / 2) + ndtri(POWER))
    floor = normal * deviation * math.sqrt(1 / (folds - 1))
    now = _detectable(len(difference), folds) * deviation
    return Sight(now, floor, _repeats(folds, size / deviation) if size > floor else None)


def power(effect: float, n: int, folds: int) -> float:
    """Return how probable it is that the test finds a true difference, on either side.

    Args:
        effect: the true difference over the standard deviation of differences between folds.
        n: folds * repeats, at least 2.
        folds: k of the cross-validation, at least 2.
    """
    shift = abs(effect) / math.sqrt(1 / n + 1 / (folds - 1))
    critical = stdtrit(n - 1, 1 - SIGNIFICANT / 2)
    below = nctdtr(n - 1, shift, [critical, -critical])
    missed, mistaken = np.nan_to_num(below)  # nan: shifted so far that nothing lies below
    return float(1 - missed + mistaken)


def _detectable(n: int, folds: int) -> float:
    """Return the effect that is found with a power of POWER, by halving the range."""
    low, high = 0.0, 1.0
    while power(high, n, folds) < POWER:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, n, folds) < POWER else (low, middle)
    return high


def _repeats(folds: int, effect: float) -> int | None:
    """Return the fewest repeats with a power of POWER; None beyond a million folds."""
    low, high = 0, 1
    while power(effect, folds * high, folds) < POWER:
        low, high = high, 2 * high
        if folds * high > 1_000_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        seen = power(effect, folds * middle, folds) >= POWER
        low, high = (low, middle) if seen else (middle, high)
    return high
