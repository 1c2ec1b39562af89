"""P(best): the probability of each variant that its expected accuracy is the highest."""

from collections.abc import Sequence

import numpy as np

from stages.statistics.paired import ROUNDING, Variance

DRAWS = 100_000  # of the posterior; the standard error of a probability is below 0.0016
SEED = 1


def p_best(differences: np.ndarray, variances: Sequence[Variance | None], folds: int) -> np.ndarray:
    """Return the probabilities of being best, of the baseline and of m variants; float (m + 1,).

    The expected differences from the baseline have a multivariate t posterior, centred at their
    means, with the correlations that they have over the folds. That of each is the posterior of
    `paired.bayesian_correlated_t`. Those with the same highest draw share it; all sum to 1.

    Sources: A. Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.6, for the
    posterior of a multivariate normal mean; paired.py for its scale.

    Args:
        differences: float (m, n), each variant's scores minus the baseline's, fold by fold.
        variances: of each, as from `paired.variances`.
        folds: of one cross-validation.
    """
    m, n = differences.shape
    if not m:
        return np.ones(1)
    random = np.random.default_rng(SEED)
    mean = differences.mean(axis=1)
    own = differences.var(axis=1, ddof=1)
    pairs = zip(variances, own, strict=True)
    pooled = np.array([variance.value / value if variance else 0 for variance, value in pairs])
    freedom = next((variance.freedom for variance in variances if variance), n - 1)
    scale = np.sqrt(pooled * (1 / n + 1 / (folds - 1)) / (n - 1))
    deviation = (differences - mean[:, None]) * scale[:, None]
    normal = random.standard_normal((DRAWS, n)) @ deviation.T  # of rank n - 1 at most
    drawn = np.zeros((DRAWS, m + 1))
    drawn[:, 1:] = mean + normal * np.sqrt(freedom / random.chisquare(freedom, (DRAWS, 1)))
    best = drawn >= drawn.max(axis=1, keepdims=True) - ROUNDING
    return (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
