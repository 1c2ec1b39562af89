"""Tests of all pairs of variants."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from stages.statistics import baseline, paired

COLUMNS: tuple[str, ...] = ("variant", "other", "metric", "n", "difference", "ci_low", "ci_high")
COLUMNS += ("p", "p_holm", "p_worse", "p_equal", "p_better", "outcome")


def pairs(
    score: Mapping[str, np.ndarray], folds: int, rope: float, metric: str, images: float
) -> list[dict[str, Any]]:
    """Test each pair; return rows with COLUMNS, which compare `variant` with `other`.

    The variant with the higher mean comes first in its pair, and in the order of pairs. Holm's
    correction is for all pairs. `images` is the number of validation images of a fold; the other
    arguments are as for `stages.statistics.baseline.against_baseline`.

    The differences of all pairs follow from those with one variant, so all together they have no
    more degrees of freedom. Variants whose folds differ by a constant add none.
    """
    best_first = sorted(score, key=lambda name: -score[name].mean())
    couples = list(combinations(best_first, 2))
    gains = np.array([score[one] - score[other] for one, other in couples])
    rows: list[dict[str, Any]] = []
    if not couples:
        return rows
    centred = np.array([one - one.mean() for one in score.values()]).round(12)
    independent = len(np.unique(centred, axis=0)) - 1
    variances = paired.variances(gains, images, most=independent * (gains.shape[1] - 1))
    for (one, other), gained, variance in zip(couples, gains, variances, strict=True):
        row: dict[str, Any] = {"variant": one, "other": other, "metric": metric, "n": len(gained)}
        row |= paired.corrected_resampled_t(gained, folds, variance)
        row |= paired.bayesian_correlated_t(gained, folds, rope, variance)
        rows.append(row)
    baseline.judge(rows, rope)
    return rows
