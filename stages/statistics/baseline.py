"""Every variant against one baseline: all tests, the outcome, and the verdict in words.

A row has COLUMNS as keys. In the baseline's row, the cells of the comparison are None, and outcome
and verdict are "baseline".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.statistics import metrics, paired
from stages.statistics.best import p_best

COLUMNS: tuple[str, ...] = ("variant", "baseline", "cv_mean", "cv_std", "n", "difference")
COLUMNS += ("ci_low", "ci_high", "p", "p_holm", "p_worse", "p_equal", "p_better", "mcnemar_p")
COLUMNS += ("verdict", "outcome", "p_best", "metric", "checks")


def against_baseline(
    score: Mapping[str, np.ndarray],
    correct: Mapping[str, np.ndarray],
    baseline: str,
    folds: int,
    rope: float,
    metric: str = "accuracy",
) -> list[dict[str, Any]]:
    """Compare each variant with the baseline; return one row per variant in the same order.

    Args:
        score: variant -> float (n,), of the same folds; more is better.
        correct: variant -> bool (images,), whether its out-of-fold prediction is correct.
        baseline: one of the variants.
        folds: folds of one cross-validation.
        rope: differences up to this count as none.
        metric: the name of the score, of `stages.statistics.metrics.METRICS`.
    """
    rows = {}
    for name, values in score.items():
        summary = paired.mean_std(values)
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"variant": name, "baseline": baseline, "outcome": "baseline", "verdict": "baseline"}
        row["metric"] = metric
        row |= {"cv_mean": summary["mean"], "cv_std": summary["std"], "n": summary["n"]}
        rows[name] = row
    images = len(correct[baseline]) / folds
    differences, variances = compared_with(score, baseline, images)
    tested = [row for name, row in rows.items() if name != baseline]
    for row, difference, variance in zip(tested, differences, variances, strict=True):
        row |= paired.corrected_resampled_t(difference, folds, variance)
        row |= paired.bayesian_correlated_t(difference, folds, rope, variance)
        row["mcnemar_p"] = paired.mcnemar(correct[row["variant"]], correct[baseline])
    judge(tested, rope)
    for row in tested:
        row["verdict"] = verdict(row, rope)
    best = p_best(np.array(list(score.values())), folds, images)
    for row, probability in zip(rows.values(), best.tolist(), strict=True):
        row["p_best"] = probability
    return [*rows.values()]


def compared_with(
    accuracy: Mapping[str, np.ndarray], baseline: str, images: float | None
) -> tuple[np.ndarray, list[paired.Variance | None]]:
    """Return the others' differences from the baseline, float (m, n), and their variances.

    `images` is the number of validation images of a fold, or None if it is not known.
    """
    others = [values for name, values in accuracy.items() if name != baseline]
    differences = np.reshape(others, (len(others), len(accuracy[baseline]))) - accuracy[baseline]
    return differences, paired.variances(differences, images)


def judge(rows: Sequence[dict[str, Any]], rope: float) -> None:
    """Add p_holm, corrected for these rows, and the outcome to tested rows."""
    for row, p_holm in zip(rows, paired.holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p_holm
        row["outcome"] = outcome(row, rope)


def outcome(row: Mapping[str, Any], rope: float) -> str:
    """Classify a comparison: "no difference", "better", "worse" or "undecided".

    Practical equivalence comes first: a difference that is within the rope with 95 % probability
    counts as none, however significant it is.
    """
    if row["p_equal"] >= paired.CONFIDENCE or (-rope <= row["ci_low"] and row["ci_high"] <= rope):
        return "no difference"
    if row["p_holm"] < paired.SIGNIFICANCE:
        return "better" if row["difference"] > 0 else "worse"
    return "undecided"


def verdict(row: Mapping[str, Any], rope: float) -> str:
    """Return the outcome of one comparison in words, in the metric's unit."""
    if row["outcome"] == "no difference":
        return f"no difference beyond {metrics.metric_of(row).amount(rope)}"
    return f"{row['outcome']}{':' if row['outcome'] == 'undecided' else ' by'} {margin(row)}"


def margin(row: Mapping[str, Any]) -> str:
    """Return the difference in words; for a worse variant, how much worse it is."""
    metric = metrics.metric_of(row)
    keys = ("difference", "ci_low", "ci_high")
    centre, low, high = (metric.scale * row[key] for key in keys)
    if row["outcome"] == "worse":
        centre, low, high = -centre, -high, -low
    sign = "+" if row["outcome"] == "undecided" else ""
    form = f"z.{metric.digits}f"
    return f"{centre:{sign}{form}} {metric.unit} (95 % {low:{form}} to {high:{form}})"
