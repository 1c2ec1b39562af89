"""Rules that could decide that a variant is better; `benchmarks.verdict_rules` compares them.

A rule takes differences, variant minus baseline: of scores by fold, float (..., n), or of
correctness by image, float (..., images). It returns two-sided p values, (...). As in
stages/statistics/paired.py, a constant difference is certain.

Sources:
    P. Bayle, A. Bayle, L. Janson, L. Mackey, "Cross-validation Confidence Intervals for Test
        Error", NeurIPS 33, 2020, arXiv:2007.12671.
    A. Bayle, L. Janson, L. Mackey, "The Relative Instability of Model Comparison with
        Cross-validation", PMLR 306, 2026, arXiv:2508.04409.
    E. Alpaydin, "Combined 5 x 2 cv F Test for Comparing Supervised Classification Learning
        Algorithms", Neural Computation 11, 1999, doi:10.1162/089976699300016007.
    G. K. Smyth, 2004, as in stages/statistics/pooled.py.
    Y. Bengio, Y. Grandvalet, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation",
        JMLR 5, 2004: why `estimated` needs an assumption.
    G. Corani, A. Benavoli, J. Demsar, F. Mangili, M. Zaffalon, "Statistical Comparison of
        Classifiers through Bayesian Hierarchical Modelling", Machine Learning 106, 2017: for
        several data sets, hence not here.
    C. Nadeau, Y. Bengio, 2003, as in paired.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from stages.statistics.paired import ROUNDING
from stages.statistics.pooled import pooled


def student_p(mean: np.ndarray, variance: np.ndarray, freedom: Any = np.inf) -> np.ndarray:
    """Return p for a true mean of 0, given the variance of the mean and its degrees of freedom."""
    constant = variance < ROUNDING**2
    t = np.abs(mean) / np.sqrt(np.where(constant, 1, variance))
    return np.where(constant, np.abs(mean) < ROUNDING, 2 * student.sf(t, freedom))


def plain(difference: np.ndarray) -> np.ndarray:
    """Student's paired t test, which treats folds as independent."""
    n = difference.shape[-1]
    return student_p(difference.mean(-1), difference.var(-1, ddof=1) / n, n - 1)


def corrected(difference: np.ndarray, folds: int) -> np.ndarray:
    """The corrected resampled t test (Nadeau and Bengio 2003), `paired.corrected_resampled_t`."""
    n = difference.shape[-1]
    variance = (1 / n + 1 / (folds - 1)) * difference.var(-1, ddof=1)
    return student_p(difference.mean(-1), variance, n - 1)


def estimated(difference: np.ndarray, folds: int) -> np.ndarray:
    """The same, with the uncorrelated part of the variance estimated from repeats.

    All repeats use the same images, so B, the variance of their means, is due only to chance in
    training and in the assignment to folds. It makes up folds * B of S, the variance within
    repeats. This part is independent between folds, so only the rest, if positive, is corrected for
    what folds share: the variance is B / repeats + max(S / folds - B, 0) * (1 + folds / (folds -
    1)). With B = 0, it is that of the corrected test of one repeat.
    """
    by_repeat = difference.reshape(*difference.shape[:-1], -1, folds)
    repeats = by_repeat.shape[-2]
    within = by_repeat.var(-1, ddof=1).mean(-1)
    between = by_repeat.mean(-1).var(-1, ddof=1)
    rest = np.maximum(within / folds - between, 0)
    variance = between / repeats + rest * (1 + folds / (folds - 1))
    return student_p(difference.mean(-1), variance, repeats * (folds - 1))


def images(difference: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """The normal interval of Bayle et al. (2020), by the variance over all images.

    `difference` is that of correctness, by image; `factor` multiplies the variance.
    """
    n = difference.shape[-1]
    return student_p(difference.mean(-1), factor * difference.var(-1, ddof=1) / n)


def five_by_two(difference: np.ndarray) -> np.ndarray:
    """The combined F test of 5 x 2 folds (Alpaydin 1999); `difference` is (..., 10)."""
    pairs = difference.reshape(*difference.shape[:-1], 5, 2)
    spread = 2 * pairs.var(-1, ddof=1).sum(-1)
    constant = spread < ROUNDING**2
    f = (pairs**2).sum((-1, -2)) / np.where(constant, 1, spread)
    return np.where(constant, np.abs(difference).max(-1) < ROUNDING, fisher.sf(f, 10, 5))


def corrected_pooled(difference: np.ndarray, folds: int) -> np.ndarray:
    """The corrected test with pooled variances of m variants; `difference` is (..., m, n)."""
    m, n = difference.shape[-2:]
    if m == 1:
        return corrected(difference, folds)
    variance, freedom = pooled(difference.var(-1, ddof=1), n - 1)
    return student_p(difference.mean(-1), (1 / n + 1 / (folds - 1)) * variance, freedom)


def images_and_folds(by_image: np.ndarray, by_fold: np.ndarray, factor: float) -> np.ndarray:
    """The larger p of two tests, each of which is blind to what the other one sees.

    `images` with `factor` allows for the sample of images, which all folds share; `plain` for
    chance in single trainings, which folds do not share, and which moves a whole fold.
    """
    return np.maximum(images(by_image, factor), plain(by_fold))


def summed(by_image: np.ndarray, by_fold: np.ndarray, folds: int) -> np.ndarray:
    """Return p for the sum of the variances due to images and to single trainings.

    I, the variance over images of their mean over repeats, divided by their number, is corrected
    for what folds share, as in `corrected`. X = max(S / folds - I, 0), by which the variance of
    folds exceeds that of their images, is chance that moves whole folds independently. The variance
    is (1 + folds / (folds - 1)) I + X / repeats. Its degrees of freedom treat only the variance
    over folds as uncertain (Satterthwaite); without X, they are infinite.
    """
    image = by_image.var(-1, ddof=1) / by_image.shape[-1]
    by_repeat = by_fold.reshape(*by_fold.shape[:-1], -1, folds)
    repeats = by_repeat.shape[-2]
    fold = by_repeat.var(-1, ddof=1).mean(-1) / folds
    more = np.maximum(fold - image, 0)
    variance = _factor(folds) * image + more / repeats
    part = np.where(more > 0, fold / repeats, 0) / np.maximum(variance, ROUNDING**2)
    freedom = repeats * (folds - 1) / np.maximum(part, 1e-6) ** 2
    return student_p(by_fold.mean(-1), variance, freedom)


class Rule(NamedTuple):
    """A rule on one design of cross-validation."""

    text: str
    trainings: int  # of each variant
    design: str
    p: Callable[[np.ndarray, np.ndarray], np.ndarray]  # of differences by fold, by image


def _factor(folds: int) -> float:
    """Return the ratio of the corrected test's variance, without repeats, to the plain one's."""
    return 1 + folds / (folds - 1)


RULES = {
    "corrected": Rule("corrected t, 5 folds", 5, "k5", lambda d, z: corrected(d, 5)),
    "plain": Rule("plain paired t, 5 folds", 5, "k5", lambda d, z: plain(d)),
    "pooled": Rule("corrected t, pooled variances", 5, "k5", lambda d, z: corrected_pooled(d, 5)),
    "images": Rule("normal by image (Bayle)", 5, "k5", lambda d, z: images(z)),
    "images_corrected": Rule(
        "normal by image, variance x 2.25", 5, "k5", lambda d, z: images(z, _factor(5))
    ),
    "both": Rule("the same and plain t", 5, "k5", lambda d, z: images_and_folds(z, d, _factor(5))),
    "summed": Rule("images and folds, 5 folds", 5, "k5", lambda d, z: summed(z, d, 5)),
    "corrected_k10": Rule("corrected t, 10 folds", 10, "k10", lambda d, z: corrected(d, 10)),
    "5x2": Rule("5x2cv F", 10, "5x2", lambda d, z: five_by_two(d)),
    "summed_k10": Rule("images and folds, 10 folds", 10, "k10", lambda d, z: summed(z, d, 10)),
    "corrected_r4": Rule("corrected t, 4 repeats", 20, "r4", lambda d, z: corrected(d, 5)),
    "estimated": Rule(
        "correlation estimated from 4 repeats", 20, "r4", lambda d, z: estimated(d, 5)
    ),
    "summed_r4": Rule("images and folds, 4 repeats", 20, "r4", lambda d, z: summed(z, d, 5)),
}
