"""Variants compared with one baseline on several data sets, the sources.

Scores on different data sets are not comparable, but their differences are. On each source,
variants are tested as in `compare` (paired.py, pooled.py), which gives an estimate d of the
expected difference with scale c and f degrees of freedom. The estimates of s sources are
independent, so their mean has
    scale sqrt(sum(c^2)) / s and sum(c^2)^2 / sum(c^4 / f) degrees of freedom
(Satterthwaite 1946, Welch 1947). Each source has the same weight: weights of 1 / c^2 would favour
the sources whose variance five folds happen to underestimate, and change the question where the
true differences differ. The mean is of *these* sources, the fixed effects of Rice et al. 2018. It
does not say what another data set would show: for that, the sources would have to be a sample of
all data sets, and the test Wilcoxon's over the sources (Demsar 2006), which cannot reject at 5 %
with fewer than six.

Whether the true differences differ between sources is tested by Welch's F test (1951), which allows
for unequal scales with few degrees of freedom, where Cochran's Q needs known scales. Their variance
is estimated by that of d less the mean of c^2, at least 0 (Hedges 1983). With fewer than ENOUGH
sources neither says much.

The false positives of both tests are in docs/statistics.md.

Sources:
    J. Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006.
    L. V. Hedges, "A Random Effects Model for Effect Sizes", Psychological Bulletin 93, 1983.
    K. Rice, J. P. T. Higgins, T. Lumley, "A Re-evaluation of Fixed Effect(s) Meta-analysis",
        Journal of the Royal Statistical Society A 181, 2018.
    F. E. Satterthwaite, "An Approximate Distribution of Estimates of Variance Components",
        Biometrics Bulletin 2, 1946.
    B. L. Welch, Biometrika 34, 1947, and "On the Comparison of Several Mean Values: An Alternative
        Approach", Biometrika 38, 1951.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student
from scipy.stats.distributions import rv_frozen

from stages.statistics import baseline, paired

ALL = "all"  # the source in rows of the mean over all sources
ENOUGH = 5  # fewest sources for a test of whether they differ
COLUMNS: tuple[str, ...] = ("source", "variant", "baseline", "metric", "n", "cv_mean", "cv_std")
COLUMNS += ("difference", "ci_low", "ci_high", "p", "p_holm", "outcome", "between_sd", "between_p")
Estimate = tuple[float, rv_frozen | None]  # as from `paired.expected_difference`


def against_baseline(
    scores: Mapping[str, Mapping[str, np.ndarray]],
    base: str,
    folds: int,
    rope: float,
    metric: str,
    images: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Return rows with COLUMNS, and p_equal: the baseline's, then each variant's, by source.

    A variant's rows end with the mean over the sources, whose n is their number. Cells that a row
    does not have are None. Holm's correction is over the variants and the sources for rows of a
    source, and over the variants for rows of the mean.

    Args:
        scores: source -> variant -> float (n,), of the same folds within a source; more is better.
        base: one of the variants.
        images: source -> number of validation images of a fold.
        folds, rope, metric: as for `stages.statistics.baseline.against_baseline`.
    """
    estimates: dict[str, dict[str, Estimate]] = {}
    for source, score in scores.items():
        differences, variances = baseline.compared_with(score, base, images[source])
        others = [name for name in score if name != base]
        estimates[source] = {
            name: paired.expected_difference(difference, folds, variance)
            for name, difference, variance in zip(others, differences, variances, strict=True)
        }
    common = {"baseline": base, "metric": metric, "outcome": "baseline"}
    variants = next(iter(scores.values()))
    rows: list[dict[str, Any]] = []
    for name in [base, *(other for other in variants if other != base)]:
        for source, score in scores.items():
            summary = paired.mean_std(score[name])
            row = dict.fromkeys(COLUMNS) | common | {"source": source, "variant": name}
            row |= {"cv_mean": summary["mean"], "cv_std": summary["std"], "n": summary["n"]}
            row |= _tests(estimates[source][name], rope) if name != base else {}
            rows.append(row)
        if name != base:
            own = [estimates[source][name] for source in scores]
            row = dict.fromkeys(COLUMNS) | common | {"source": ALL, "variant": name}
            row |= {"n": len(own)} | _tests(mean(own), rope) | between(own)
            rows.append(row)
    for is_mean in (False, True):
        family = [row for row in rows if row["p"] is not None and (row["source"] == ALL) == is_mean]
        baseline.judge(family, rope)
    return rows


def _tests(estimate: Estimate, rope: float) -> dict[str, float]:
    equal = paired.probabilities(*estimate, rope)["p_equal"]
    return paired.tested(*estimate) | {"p_equal": equal}


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean over sources and its distribution; None where all estimates are constant.

    A source with a constant difference adds no variance (paired.py).
    """
    centre = float(np.mean([one for one, _ in estimates]))
    args = [expected.args for _, expected in estimates if expected]
    if not args:
        return centre, None
    freedom, _, scale = np.array(args).T
    total = np.sum(scale**2)
    pooled = total**2 / np.sum(scale**4 / freedom)
    return centre, student(pooled, centre, math.sqrt(total) / len(estimates))


def between(estimates: Sequence[Estimate]) -> dict[str, float]:
    """Return how much true differences vary between sources: between_sd, and the test's between_p.

    Nothing for fewer than ENOUGH sources, or where a difference is constant.
    """
    args = [expected.args for _, expected in estimates if expected]
    s = len(estimates)
    if s < ENOUGH or len(args) < s:
        return {}
    freedom, centre, scale = np.array(args).T
    weight = scale**-2 / np.sum(scale**-2)
    unequal = np.sum((1 - weight) ** 2 / freedom)
    apart = np.sum(scale**-2 * (centre - weight @ centre) ** 2) / (s - 1)
    statistic = apart / (1 + 2 * (s - 2) / (s**2 - 1) * unequal)
    p = fisher.sf(statistic, s - 1, (s**2 - 1) / (3 * unequal))
    variance = max(0.0, centre.var(ddof=1) - np.mean(scale**2))
    return {"between_sd": math.sqrt(variance), "between_p": float(p)}
