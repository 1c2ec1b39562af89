"""Posterior probabilities that a variant is the best, and that it takes each rank."""

import numpy as np

from stages.statistics.paired import ROUNDING

DRAWS = 100_000  # of the posterior; the standard error of a probability is below 0.0016
SEED = 1


def p_best(scores: np.ndarray, folds: int, images: float | None = None) -> np.ndarray:
    """Return the probability of each variant that it is the best, float (variants,); they sum to 1.

    Scores are modelled as the sum of the variant's expectation, an effect of the fold that all
    variants share, and residuals of one variance. The expectations are then independent, with t
    distributions around the means; their scale has the correction of paired.py. For two variants,
    the difference has the posterior of `paired.bayesian_correlated_t`. No variant has a special
    role, so the choice of the baseline does not matter. Variants that tie in a draw share it. If
    all differences are constant, the residuals have the least variance that paired.py allows.

    Source: A. Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.2, for the
    posterior of a normal mean.

    Args:
        scores: float (variants, n), of the same folds.
        folds: of one cross-validation.
        images: validation images of a fold, if known.
    """
    if len(scores) == 1:
        return np.ones(1)
    drawn = _drawn(scores, folds, images)
    best = drawn >= drawn.max(axis=0) - ROUNDING
    return (best / best.sum(axis=0)).mean(axis=1)


def ranks(scores: np.ndarray, folds: int, images: float | None = None) -> np.ndarray:
    """Return the probability of each rank, float (variants, variants): [i, 0] that i is the best.

    Rows and columns sum to 1. The model and the arguments are those of `p_best`. Variants that are
    equal on all folds share their ranks, in draws of a random order.
    """
    if len(scores) == 1:
        return np.ones((1, 1))
    drawn = _drawn(scores, folds, images).round(12)
    random = np.random.default_rng(SEED).random(drawn.shape)
    order = np.lexsort((random, -drawn), axis=0)
    return np.array([[(rank == one).mean() for rank in order] for one in range(len(scores))])


def _drawn(scores: np.ndarray, folds: int, images: float | None) -> np.ndarray:
    """Draw expected scores from their posterior: float (variants, DRAWS)."""
    variants, n = scores.shape
    mean = scores.mean(axis=1, keepdims=True)
    residual = scores - mean - scores.mean(axis=0) + scores.mean()
    freedom = (variants - 1) * (n - 1)
    variance = (residual**2).sum() / freedom
    if images and np.abs(residual).max() < ROUNDING:
        size = np.ptp(mean)
        variance = max(0.0, size - size**2) / images / 2  # a difference has twice that of a score
        freedom = n - 1
    scale = np.sqrt((1 / n + 1 / (folds - 1)) * variance)
    random = np.random.default_rng(SEED)
    spread = np.sqrt(freedom / random.chisquare(freedom, DRAWS))
    return mean + scale * random.standard_normal((variants, DRAWS)) * spread
