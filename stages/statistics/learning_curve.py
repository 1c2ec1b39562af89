"""What twice the training images would gain: a power law through the scores of smaller sets.

The expected error with n training images is modelled as a + b n^-c, with a floor a >= 0 that no
number of images passes (Hestness et al. 2017; Viering and Loog 2023 survey the shapes of learning
curves). With N images and the drop d = b N^-c, twice the images gain d (1 - 2^-c). Four sizes
hardly determine three parameters, but they bound that gain: its interval is the profile likelihood
interval, all gains of laws that fit the means not significantly worse than the best law does
(Bates and Watts 1988, chapter 6). b may be negative, so that an interval can include "no gain".

Means of folds are weighted by their covariance. A fold's errors share an effect of its validation
images, of variance t2. Each also has its own deviation, with a variance proportional to the
mean error of its size, as that of a count is. Both variances are estimated from the folds, and
those of a mean are corrected for overlapping training sets as in paired.py.

Sources:
    J. Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017, arXiv:1712.00409.
    T. Viering, M. Loog, "The Shape of Learning Curves: a Review", IEEE Transactions on Pattern
        Analysis and Machine Intelligence 45, 2023, arXiv:2103.10948.
    D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", 1988.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from stages.statistics.metrics import Metric
from stages.statistics.paired import CONFIDENCE, ROUNDING

EXPONENTS = np.linspace(0.01, 2, 1000)  # c; reported ones are mostly between 0.1 and 1
MISFIT = 0.01  # p of the means, given a power law, below which they do not follow one


class Law(NamedTuple):
    """The power law of one variant, and the gain of twice the images; errors are fractions."""

    images: float  # N, the most images
    error: float  # with N images, by the law
    drop: float  # d, the part of it that more images can remove; negative: more images harm
    exponent: float  # c
    gain: float  # the error that N more images remove
    low: float  # ends of the 95 % interval of the gain
    high: float
    p: float  # of the test that the means lie on a power law

    def at(self, images: np.ndarray) -> np.ndarray:
        """Return the expected error with these numbers of images."""
        return self.error + self.drop * ((images / self.images) ** -self.exponent - 1)

    @property
    def fits(self) -> bool:
        """Return whether the means may lie on a power law."""
        return self.p >= MISFIT


def fit(images: np.ndarray, errors: np.ndarray, folds: int) -> Law:
    """Fit the law to the errors of folds.

    Args:
        images: float (sizes,), numbers of training images, ascending; at least 4 sizes.
        errors: float (sizes, n), 1 - score or a loss, at least 0, of the same n folds.
        folds: of one cross-validation; n = folds * repeats.
    """
    sizes, n = errors.shape
    mean = errors.mean(axis=1)
    if np.ptp(errors, axis=0).max() < ROUNDING:  # as for a row that ignores the images
        return Law(images[-1], mean[-1], 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    weight = np.linalg.inv(_covariance(errors, mean, folds))
    total = mean @ weight @ mean
    # For one exponent, the law is a line: error + drop * slope, with slope 0 for all images.
    slope = (images / images[-1]) ** -EXPONENTS[:, np.newaxis] - 1  # (exponents, sizes)
    ones, mixed = weight.sum(), slope @ weight.sum(axis=0)
    square = ((slope @ weight) * slope).sum(axis=1)
    level, product = weight.sum(axis=0) @ mean, slope @ weight @ mean
    determinant = ones * square - mixed**2
    drop = (ones * product - mixed * level) / determinant
    error = (level - mixed * drop) / ones
    misfit = total - error * level - drop * product  # squared, in standard errors
    # Without a floor, all of the error drops.
    steep = ones + 2 * mixed + square
    bare = (level + product) / steep
    bare_misfit = total - steep * bare**2

    possible = np.where(drop <= error, misfit, np.inf)
    place = np.minimum(possible, bare_misfit).argmin()
    least = min(possible[place], bare_misfit[place])
    freedom = (sizes - 1) * (n - 1)
    allowed = least + student.ppf((1 + CONFIDENCE) / 2, freedom) ** 2
    ends = []  # of the drop, for each exponent; NaN if no such law is accepted
    for sign in (-1, 1):
        end = drop + sign * _root((allowed - misfit) * ones / determinant)
        ends.append(np.where(end <= error - mixed / ones * (end - drop), end, np.nan))
        ends.append(bare + sign * _root((allowed - bare_misfit) / steep))
    share = 1 - 2**-EXPONENTS  # of the drop, that twice the images gain
    gains = np.array(ends) * share
    if bare_misfit[place] <= possible[place]:
        drop, error = bare, bare
    return Law(
        images=float(images[-1]),
        error=float(error[place]),
        drop=float(drop[place]),
        exponent=float(EXPONENTS[place]),
        gain=float(drop[place] * share[place]),
        low=float(np.nanmin(gains)),
        high=float(np.nanmax(gains)),
        p=float(fisher.sf(max(least, 0) / (sizes - 3), sizes - 3, freedom)),
    )


def _root(square: np.ndarray) -> np.ndarray:
    """Return the square root; NaN for negative numbers."""
    return np.sqrt(np.where(square >= 0, square, np.nan))


def verdict(law: Law, metric: Metric) -> str:
    """Return in words what twice the images would gain, in the metric's unit."""
    gain, low, high = (metric.scale * value for value in (law.gain, law.low, law.high))
    form = f"z.{metric.digits}f"
    if not law.fits:
        return "the scores do not follow a power law, so they do not show what more images gain"
    if low == high == 0:
        return "the score does not depend on the number of images"
    if low <= 0 <= high:
        return (
            "these folds cannot tell whether more images help: with twice the images "
            f"{low:+{form}} to {high:+{form}} {metric.unit} (95 %)"
        )
    return (
        f"twice the images: about {gain:+{form}} {metric.unit} (95 % {low:{form}} to {high:{form}})"
    )


def _covariance(errors: np.ndarray, mean: np.ndarray, folds: int) -> np.ndarray:
    """Return the covariance of the means of sizes, float (sizes, sizes); see the module."""
    sizes, n = errors.shape
    scale = np.maximum(mean, mean.max() / 100)  # a size without any error has a variance too
    weight = 1 / scale
    deviation = errors - mean[:, np.newaxis]
    effect = weight @ deviation / weight.sum()  # of each fold
    own = (weight @ (deviation - effect) ** 2).sum() / ((sizes - 1) * (n - 1))
    own = max(own, ROUNDING)
    shared = max(effect @ effect / (n - 1) - own / weight.sum(), 0.0)
    return (1 / n + 1 / (folds - 1)) * (shared + np.diag(own * scale))
