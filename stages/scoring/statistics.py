"""Statistics between variants that were cross-validated on the same folds.

Scores of folds are not independent, since their training sets overlap: a plain paired t test on
five folds finds a difference between equals in 14 % of all cases where it claims 5 %. The first
two functions correct for that. `difference` is, for both, float (n,): score of the variant minus
score of the baseline, fold by fold, n = folds * repeats, as fractions.

The correction is a rule of thumb: it takes scores of two folds to correlate as 1 / folds. For
models that hardly depend on the choice of training images it errs on the safe side; for very
unstable ones repeats bring false positives back (5 folds x 4 repeats: up to 10 % in the tests'
simulation, where the plain test has 48 %).

Differences whose spread is rounding (below 1e-12) count as constant. Then there is no variance
to test with: a tie on all folds is "no difference" for certain, any other constant difference is
a difference for certain. The latter says too much when there are few folds of few images.

Sources:
    C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
        doi:10.1023/A:1024068626366.
    A. Benavoli, G. Corani, J. Demsar, M. Zaffalon, "Time for a Change: a Tutorial for Comparing
        Multiple Classifiers Through Bayesian Analysis", JMLR 18 (77), 2017.
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6, 1979.
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12, 1947, doi:10.1007/BF02295996.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import bdtr, stdtr, stdtrit  # scipy.stats has the same, for 1.5 s more import

ROUNDING = 1e-12
SIGNIFICANT = 0.05  # the p, after Holm's correction, below which a difference is called one
CERTAIN = 0.95  # the probability, and the coverage of intervals, that is called sure


def mean_std(values: Sequence[float]) -> dict[str, float | int]:
    """Return mean, sample standard deviation (n - 1) and n.

    The deviation of a single value is unknown; it is given as 0, which JSON can hold, and the n
    beside it says why.
    """
    values = np.asarray(values, dtype=np.float64)
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "std": std, "n": len(values)}


def corrected_resampled_t(difference: np.ndarray, folds: int) -> dict[str, float]:
    """Test whether the expected difference is 0 (Nadeau and Bengio 2003), two-sided.

    t = mean / sqrt((1 / n + 1 / (folds - 1)) * s2) with n - 1 degrees of freedom, where s2 is the
    sample variance and 1 / (folds - 1) the ratio of validation to training images.

    Args:
        difference: float (n,), n at least 2; see the head of this file.
        folds: k of the cross-validation, at least 2; n is a multiple of it.

    Returns:
        difference (the mean), t, p, and ci_low and ci_high, the 95 % interval. A tie on all folds
        gives t = 0, p = 1; another constant difference t = +-infinity, p = 0; the interval is the
        mean alone in both cases.
    """
    mean, scale, freedom = _student(difference, folds)
    if scale == 0:
        t = float(np.sign(mean) * np.inf) if mean else 0.0
        p = 0.0 if mean else 1.0
        return {"difference": mean, "t": t, "p": p, "ci_low": mean, "ci_high": mean}
    t = mean / scale
    reach = float(stdtrit(freedom, (1 + CERTAIN) / 2)) * scale
    return {
        "difference": mean,
        "t": t,
        "p": float(2 * stdtr(freedom, -abs(t))),
        "ci_low": mean - reach,
        "ci_high": mean + reach,
    }


def bayesian_correlated_t(difference: np.ndarray, folds: int, rope: float) -> dict[str, float]:
    """Return how probable it is that a variant is worse, equal or better (Benavoli et al. 2017).

    The expected difference follows Student's distribution with n - 1 degrees of freedom, centre
    and scale of `corrected_resampled_t`. Equal is what lies within the region of practical
    equivalence, -rope to rope.

    Args:
        difference: float (n,), n at least 2; see the head of this file.
        folds: k of the cross-validation, at least 2.
        rope: half the width of that region, a fraction, at least 0.

    Returns:
        p_worse, p_equal, p_better; they sum to 1. For a constant difference one of them is 1.
    """
    mean, scale, freedom = _student(difference, folds)
    if scale == 0:
        worse, better = float(mean < -rope), float(mean > rope)
    else:
        worse = float(stdtr(freedom, (-rope - mean) / scale))
        better = float(stdtr(freedom, (mean - rope) / scale))
    return {"p_worse": worse, "p_equal": max(0.0, 1 - worse - better), "p_better": better}


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values for their number, so that all are valid together (Holm 1979).

    Args:
        p: one value a test, 0 to 1.

    Returns:
        The adjusted values in the order given, each at least as large as before and at most 1.
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def mcnemar(right: np.ndarray, baseline_right: np.ndarray) -> float:
    """Test whether two models are equally often right on the same images (McNemar 1947), exactly.

    Of the images that only one of the two predicts rightly, each has half of them expected: a
    two-sided binomial test. It speaks about these two models, not about how they were made.

    Args:
        right: bool (n,), which images the one model predicts rightly.
        baseline_right: bool (n,), the same of the other.

    Returns:
        p, 0 to 1; 1 when both are right on the same images.
    """
    right, baseline_right = np.asarray(right, bool), np.asarray(baseline_right, bool)
    only_this = int(np.count_nonzero(right & ~baseline_right))
    only_baseline = int(np.count_nonzero(~right & baseline_right))
    fewer = min(only_this, only_baseline)
    return min(1.0, 2 * float(bdtr(fewer, only_this + only_baseline, 0.5)))


def outcome(row: Mapping[str, float], rope: float) -> str:
    """Return what a comparison shows: "no difference", "better", "worse" or "undecided".

    Practical equality comes first: a difference that is surely no larger than the rope counts as
    none, however significant.

    Args:
        row: difference, ci_low, ci_high (`corrected_resampled_t`), p_equal
            (`bayesian_correlated_t`) and p_holm (`holm`).
        rope: a fraction, at least 0.
    """
    if row["p_equal"] >= CERTAIN or (-rope <= row["ci_low"] and row["ci_high"] <= rope):
        return "no difference"
    if row["p_holm"] < SIGNIFICANT:
        return "better" if row["difference"] > 0 else "worse"
    return "undecided"


def _student(difference: np.ndarray, folds: int) -> tuple[float, float, int]:
    """Return centre, scale and degrees of freedom; scale 0 for a constant difference."""
    difference = np.asarray(difference, dtype=np.float64)
    n = len(difference)
    if np.ptp(difference) < ROUNDING:
        mean = float(difference[0])
        return (mean if abs(mean) >= ROUNDING else 0.0), 0.0, n - 1
    variance = float(difference.var(ddof=1))
    return float(difference.mean()), float(np.sqrt((1 / n + 1 / (folds - 1)) * variance)), n - 1
