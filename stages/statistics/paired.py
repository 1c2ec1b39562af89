"""Statistics between variants that were cross-validated on the same folds.

Scores of folds are not independent, since their training sets overlap: a plain paired t test on
five folds finds a difference between equal variants in 14 % of cases where it claims 5 %. The
first two functions correct for that. `difference` is, for both, float (n,): score of the variant
minus score of the baseline, fold by fold, n = folds * repeats, as fractions.

The correction is a rule of thumb: it assumes that scores of two folds correlate as 1 / folds. It
is conservative for models that hardly depend on the choice of training images; for very unstable
ones, repeats bring false positives back (5 folds x 4 repeats: up to 10 % in the tests' simulation,
where the plain test has 48 %).

Differences whose range is rounding error (below 1e-12) count as constant. There is then no
variance to test with: a tie on all folds is "no difference" with certainty, any other constant is
a difference with certainty. The latter overstates what few folds of few images show.

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
from scipy.stats import binomtest
from scipy.stats import t as student

ROUNDING = 1e-12
SIGNIFICANCE = 0.05  # the largest p, after Holm's correction, of a better or worse variant
CONFIDENCE = 0.95  # coverage of intervals, and the p_equal from which there is no difference


def mean_std(values: Sequence[float]) -> dict[str, float | int]:
    """Return mean, sample standard deviation (n - 1) and n.

    The deviation of a single value is undefined; it is returned as 0, since JSON has no NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "std": std, "n": len(values)}


def corrected_resampled_t(difference: np.ndarray, folds: int) -> dict[str, float]:
    """Test whether the expected difference is 0 (Nadeau and Bengio 2003), two-sided.

    t = mean / sqrt((1 / n + 1 / (folds - 1)) * s2) with n - 1 degrees of freedom, where s2 is the
    sample variance and 1 / (folds - 1) the ratio of validation to training images.

    Args:
        difference: float (n,), n at least 2; see the module docstring.
        folds: k of the cross-validation, at least 2; n is a multiple of it.

    Returns:
        difference (the mean), t, p, and ci_low and ci_high, the 95 % interval. A tie on all folds
        gives t = 0, p = 1; another constant difference t = +-infinity, p = 0; in both cases both
        ends of the interval are the mean.
    """
    mean, scale, freedom = _student(difference, folds)
    if scale == 0:
        t = float(np.sign(mean) * np.inf) if mean else 0.0
        p = 0.0 if mean else 1.0
        return {"difference": mean, "t": t, "p": p, "ci_low": mean, "ci_high": mean}
    t = mean / scale
    reach = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * scale
    return {
        "difference": mean,
        "t": t,
        "p": float(2 * student.sf(abs(t), freedom)),
        "ci_low": mean - reach,
        "ci_high": mean + reach,
    }


def bayesian_correlated_t(difference: np.ndarray, folds: int, rope: float) -> dict[str, float]:
    """Return the probabilities that a variant is worse, equal or better (Benavoli et al. 2017).

    The expected difference follows Student's distribution with n - 1 degrees of freedom and the
    mean and scale of `corrected_resampled_t`. Differences within the region of practical
    equivalence, -rope to rope, count as equal.

    Args:
        difference: float (n,), n at least 2; see the module docstring.
        folds: k of the cross-validation, at least 2.
        rope: half the width of that region, a fraction, at least 0.

    Returns:
        p_worse, p_equal, p_better; they sum to 1. For a constant difference one of them is 1.
    """
    mean, scale, freedom = _student(difference, folds)
    if scale == 0:
        worse, better = float(mean < -rope), float(mean > rope)
    else:
        worse = float(student.cdf((-rope - mean) / scale, freedom))
        better = float(student.cdf((mean - rope) / scale, freedom))
    return {"p_worse": worse, "p_equal": max(0.0, 1 - worse - better), "p_better": better}


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values for multiple tests (Holm 1979).

    Args:
        p: one value per test, 0 to 1.

    Returns:
        The adjusted values in the same order, each at least as large as before and at most 1.
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def mcnemar(correct: np.ndarray, baseline_correct: np.ndarray) -> float:
    """Test whether two models are correct equally often on the same images (McNemar 1947).

    The exact form: a two-sided binomial test on the images that only one of them predicts
    correctly. It is about these two models, not about how they were trained.

    Args:
        correct: bool (n,), which images the one model predicts correctly.
        baseline_correct: bool (n,), the same for the other.

    Returns:
        p, 0 to 1; 1 when both are correct on the same images.
    """
    correct, baseline_correct = np.asarray(correct, bool), np.asarray(baseline_correct, bool)
    only_this = int(np.count_nonzero(correct & ~baseline_correct))
    only_one = int(np.count_nonzero(correct != baseline_correct))
    return float(binomtest(only_this, only_one).pvalue) if only_one else 1.0


def outcome(row: Mapping[str, float], rope: float) -> str:
    """Classify a comparison: "no difference", "better", "worse" or "undecided".

    Practical equivalence comes first: a difference within the rope with 95 % certainty is none,
    however significant.

    Args:
        row: difference, ci_low, ci_high (`corrected_resampled_t`), p_equal
            (`bayesian_correlated_t`) and p_holm (`holm`).
        rope: a fraction, at least 0.
    """
    if row["p_equal"] >= CONFIDENCE or (-rope <= row["ci_low"] and row["ci_high"] <= rope):
        return "no difference"
    if row["p_holm"] < SIGNIFICANCE:
        return "better" if row["difference"] > 0 else "worse"
    return "undecided"


def _student(difference: np.ndarray, folds: int) -> tuple[float, float, int]:
    """Return mean, scale and degrees of freedom; the scale of a constant difference is 0."""
    difference = np.asarray(difference, dtype=np.float64)
    n = len(difference)
    if np.ptp(difference) < ROUNDING:
        mean = float(difference[0])
        return (mean if abs(mean) >= ROUNDING else 0.0), 0.0, n - 1
    variance = float(difference.var(ddof=1))
    return float(difference.mean()), float(np.sqrt((1 / n + 1 / (folds - 1)) * variance)), n - 1
