"""Statistics between variants that were cross-validated on the same folds.

Scores of folds are not independent, since their training sets overlap. Between equal variants, a
plain paired t test on five folds has 4 to 13 % false positives instead of 5 %, depending on the
simulated learner (docs/statistics.md). With the learner of the tests' simulation, nearest means of
one weak feature on 60 images, it has 12 %. The corrected resampled t test and its Bayesian form
allow for the overlap. Both take
    difference: float (n,), score of the variant minus score of the baseline, fold by fold, as
        fractions; n = folds * repeats, at least 2;
    folds: k of one cross-validation, at least 2.
Under both, the expected difference follows Student's distribution around the mean difference, with
scale sqrt((1 / n + 1 / (folds - 1)) * s2), where 1 / (folds - 1) is the ratio of validation to
training images. s2 is the sample variance, with n - 1 degrees of freedom; that of several variants
with one baseline is pooled (pooled.py). docs/statistics.md compares this with other rules.

The correction is a rule of thumb: it assumes that scores of two folds correlate as 1 / folds. It
is conservative for models that hardly depend on the choice of training images; for very unstable
ones, repeats bring false positives back (5 folds x 4 repeats: up to 10 % in the tests' simulation,
where the plain test has 48 %).

Differences whose range is rounding error (below 1e-12) count as constant, and have no sample
variance. A tie on all folds is "no difference" with certainty. Where a fold's accuracies on m
images differ by d, at least the share |d| of the images differs, so the sampling variance of d is
at least (|d| - d^2) / m. Any other constant difference gets this variance where m is known, and is
certain where it is not.

Sources:
    C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
        doi:10.1023/A:1024068626366.
    A. Benavoli, G. Corani, J. Demsar, M. Zaffalon, "Time for a Change: a Tutorial for Comparing
        Multiple Classifiers Through Bayesian Analysis", JMLR 18 (77), 2017.
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6, 1979.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest
from scipy.stats import t as student
from scipy.stats.distributions import rv_frozen

from stages.statistics.pooled import pooled

ROUNDING = 1e-12
SIGNIFICANCE = 0.05  # the largest p, after Holm's correction, of a better or worse variant
CONFIDENCE = 0.95  # coverage of intervals, and the p_equal from which there is no difference


def mean_std(scores: Sequence[float] | np.ndarray) -> dict[str, float | int]:
    """Return mean, sample standard deviation (n - 1; 0 for one value, as JSON has no NaN) and n."""
    values = np.asarray(scores, dtype=np.float64)
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "std": std, "n": len(values)}


class Variance(NamedTuple):
    """The variance of differences between folds."""

    value: float
    freedom: float  # degrees of freedom


def variances(
    differences: np.ndarray, images: float | None = None, most: float = math.inf
) -> list[Variance | None]:
    """Return the variance of each comparison, pooled with those of the others.

    `differences` is float (m, n). A constant difference takes no part in the pooling: it has the
    least variance that is possible with this number of validation `images` in a fold. A tie has
    none, nor does any constant difference without `images`. Each has at most `most` degrees of
    freedom.
    """
    varied = np.ptp(differences, axis=1) >= ROUNDING
    own, freedom = differences.var(axis=1, ddof=1), differences.shape[1] - 1
    freedoms = np.full(len(differences), float(freedom))
    if varied.sum() > 1:
        own[varied], freedoms[varied] = pooled(own[varied], freedom)
        freedoms[varied] = np.minimum(freedoms[varied], most)
    size = np.abs(differences.mean(axis=1))
    if images:
        own[~varied] = ((size - size**2).clip(0) / images)[~varied]
    known = varied | (bool(images) & (size >= ROUNDING) & (own > 0))
    return [
        Variance(value, freedom) if is_known else None
        for value, freedom, is_known in zip(own.tolist(), freedoms.tolist(), known, strict=True)
    ]


def corrected_resampled_t(
    difference: np.ndarray, folds: int, variance: Variance | None = None
) -> dict[str, float]:
    """Test whether the expected difference is 0 (Nadeau and Bengio 2003), two-sided.

    `variance` is one of `variances`, by default the sample variance. Returns difference (the mean),
    p, and the 95 % interval ci_low, ci_high. Without a variance both ends are the mean, and p is 1
    for a tie, else 0.
    """
    return tested(*expected_difference(difference, folds, variance))


def tested(mean: float, expected: rv_frozen | None) -> dict[str, float]:
    """Return what `corrected_resampled_t` does, for a distribution from `expected_difference`."""
    if expected is None:
        return {"difference": mean, "p": float(mean == 0), "ci_low": mean, "ci_high": mean}
    low, high = expected.interval(CONFIDENCE)
    p = 2 * min(expected.cdf(0), expected.sf(0))
    return {"difference": mean, "p": float(p), "ci_low": float(low), "ci_high": float(high)}


def bayesian_correlated_t(
    difference: np.ndarray, folds: int, rope: float, variance: Variance | None = None
) -> dict[str, float]:
    """Return p_worse, p_equal and p_better of a variant (Benavoli et al. 2017); they sum to 1.

    `variance` is as in `corrected_resampled_t`.
    Differences within the region of practical equivalence, -rope to rope, count as equal. Without a
    variance one of the probabilities is 1.
    """
    return probabilities(*expected_difference(difference, folds, variance), rope)


def probabilities(mean: float, expected: rv_frozen | None, rope: float) -> dict[str, float]:
    """Return what `bayesian_correlated_t` does, for a distribution from `expected_difference`."""
    if expected is None:
        worse, better = float(mean < -rope), float(mean > rope)
    else:
        worse, better = float(expected.cdf(-rope)), float(expected.sf(rope))
    return {"p_worse": worse, "p_equal": max(0.0, 1 - worse - better), "p_better": better}


def expected_difference(
    difference: np.ndarray, folds: int, variance: Variance | None
) -> tuple[float, rv_frozen | None]:
    """Return the mean, and the distribution of the expected difference; None without a variance.

    The distribution is Student's; its `args` are degrees of freedom, the mean, and the scale.
    """
    difference = np.asarray(difference, dtype=np.float64)
    n = len(difference)
    if np.ptp(difference) < ROUNDING and variance is None:
        mean = float(difference[0])
        return (mean if abs(mean) >= ROUNDING else 0.0), None
    mean = float(difference.mean())
    value, freedom = variance or (difference.var(ddof=1), n - 1)
    return mean, student(freedom, mean, np.sqrt((1 / n + 1 / (folds - 1)) * value))


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values for multiple tests (Holm 1979), in the same order, each at most 1."""
    p = np.asarray(values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def mcnemar(correct: np.ndarray, baseline_correct: np.ndarray) -> float:
    """Return p of McNemar's exact test: are two models correct equally often on the same images?

    It is a two-sided binomial test on the images that only one of them predicts correctly; without
    any, p is 1 (McNemar 1947). Arguments: bool (n,), images predicted correctly.
    """
    only_this = np.count_nonzero(correct & ~baseline_correct)
    only_one = np.count_nonzero(correct != baseline_correct)
    return float(binomtest(only_this, only_one).pvalue) if only_one else 1.0
