"""Variances of several comparisons, pooled by empirical Bayes.

Five folds tell little about the variance of a difference. The variants of one comparison are
trained and scored alike, so their variances are shrunk towards a common value: the more they agree,
the more strongly. Source: G. K. Smyth, "Linear Models and Empirical Bayes Methods for Assessing
Differential Expression in Microarray Experiments", Stat. Appl. Genet. Mol. Biol. 3 (1), 2004,
doi:10.2202/1544-6115.1027, sections 4 and 6.2.
"""

import numpy as np
from scipy.special import digamma, polygamma

ALIKE = 1e6  # degrees of freedom of the prior where the variances agree better than by chance


def pooled(variance: np.ndarray, freedom: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the posterior variances, float (..., m), and their degrees of freedom, (..., 1).

    The variances have a scaled inverse chi-squared prior; its scale and degrees of freedom are
    estimated by the moments of their logarithms. As in the package limma, all m variances together
    have no more degrees of freedom than their sum.

    Args:
        variance: float (..., m), the sample variances of m comparisons, m at least 2.
        freedom: degrees of freedom of each.
    """
    m = variance.shape[-1]
    least = 1e-5 * np.median(variance, axis=-1, keepdims=True)  # the logarithm needs more than 0
    log = np.log(np.maximum(variance, np.maximum(least, np.finfo(float).tiny)))
    log = log - digamma(freedom / 2) + np.log(freedom / 2)
    excess = log.var(-1, ddof=1, keepdims=True) - polygamma(1, freedom / 2)
    prior = np.where(excess > 0, 2 * _trigamma_inverse(np.maximum(excess, 1e-4)), ALIKE)
    scale = np.exp(log.mean(-1, keepdims=True) + digamma(prior / 2) - np.log(prior / 2))
    posterior = (prior * scale + freedom * variance) / (prior + freedom)
    return posterior, np.minimum(prior + freedom, m * freedom)


def _trigamma_inverse(value: np.ndarray) -> np.ndarray:
    """Return x with trigamma(x) = value, by Newton's method on its reciprocal (Smyth 2004)."""
    x = 0.5 + 1 / value
    for _ in range(20):
        trigamma = polygamma(1, x)
        x = x + trigamma * (1 - trigamma / value) / polygamma(2, x)
    return x
