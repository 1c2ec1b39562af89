"""P(best): the probability of each variant that its expected accuracy is the highest."""

import numpy as np

DRAWS = 100_000  # of the posterior; the standard error of a probability is below 0.0016
SEED = 1


def p_best(scores: np.ndarray, folds: int) -> np.ndarray:
    """Return each variant's probability of being the best, float (variants,); they sum to 1.

    The expected scores of all variants together have a multivariate t posterior with n - 1 degrees
    of freedom, centred at their means, whose scale is the sample covariance of their scores times
    1 / n + 1 / (folds - 1). The difference of any two variants then has the posterior of
    `paired.bayesian_correlated_t`. Variants with the same highest draw share it.

    Sources: A. Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.6, for the
    posterior of a multivariate normal mean; paired.py for the correction.

    Args:
        scores: float (variants, n), each variant's scores of the same folds; n at least 2.
        folds: of one cross-validation.
    """
    n = scores.shape[1]
    random = np.random.default_rng(SEED)
    mean = scores.mean(axis=1)
    deviation = (scores - mean[:, None]) * np.sqrt((1 / n + 1 / (folds - 1)) / (n - 1))
    normal = random.standard_normal((DRAWS, n)) @ deviation.T  # of rank n - 1 at most
    drawn = mean + normal * np.sqrt((n - 1) / random.chisquare(n - 1, (DRAWS, 1)))
    best = drawn >= drawn.max(axis=1, keepdims=True) - 1e-12  # ties, but for rounding
    return (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
