"""Every variant against one baseline: all tests, the outcome, and the verdict in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stages.statistics import paired

COLUMNS: tuple[str, ...] = (
    "variant",
    "baseline",
    "cv_mean",
    "cv_std",
    "n",
    "difference",
    "ci_low",
    "ci_high",
)
COLUMNS += ("p", "p_holm", "p_worse", "p_equal", "p_better", "mcnemar_p", "verdict", "outcome")


def against_baseline(
    accuracy: Mapping[str, np.ndarray],
    correct: Mapping[str, np.ndarray],
    baseline: str,
    folds: int,
    rope: float,
) -> list[dict[str, Any]]:
    """Compare each variant with the baseline.

    Args:
        accuracy: variant -> float (n,), of the same folds.
        correct: variant -> bool (images,), whether its out-of-fold prediction is correct.
        baseline: one of the variants.
        folds: folds of one cross-validation.
        rope: differences up to this fraction count as none.

    Returns:
        One row per variant in the order of `accuracy`, with COLUMNS as keys. The outcome and the
        verdict of the baseline are "baseline", its cells of the comparison None.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, values in accuracy.items():
        score = paired.mean_std(values)
        rows[name] = dict.fromkeys(COLUMNS, None) | {
            "variant": name,
            "baseline": baseline,
            "cv_mean": score["mean"],
            "cv_std": score["std"],
            "n": score["n"],
            "outcome": "baseline",
            "verdict": "baseline",
        }
    tested = [row for name, row in rows.items() if name != baseline]
    for row in tested:
        difference = accuracy[row["variant"]] - accuracy[baseline]
        row |= paired.corrected_resampled_t(difference, folds)
        row |= paired.bayesian_correlated_t(difference, folds, rope)
        row["mcnemar_p"] = paired.mcnemar(correct[row["variant"]], correct[baseline])
    for row, p_holm in zip(tested, paired.holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = p_holm
        row["outcome"] = outcome(row, rope)
        row["verdict"] = verdict(row, rope)
    return list(rows.values())


def outcome(row: Mapping[str, Any], rope: float) -> str:
    """Classify a comparison: "no difference", "better", "worse" or "undecided".

    Practical equivalence comes first: a difference within the rope with 95 % certainty is none,
    however significant.
    """
    if row["p_equal"] >= paired.CONFIDENCE or (-rope <= row["ci_low"] and row["ci_high"] <= rope):
        return "no difference"
    if row["p_holm"] < paired.SIGNIFICANCE:
        return "better" if row["difference"] > 0 else "worse"
    return "undecided"


def verdict(row: Mapping[str, Any], rope: float) -> str:
    """Return the outcome of one comparison in words, in percentage points."""
    if row["outcome"] == "no difference":
        return f"no difference beyond {100 * rope:g} points"
    if row["outcome"] == "undecided":
        return f"undecided: {_points(row, '+')}"
    return f"{row['outcome']} by {margin(row)}"


def margin(row: Mapping[str, Any]) -> str:
    """Return by how many points a variant is better, or worse, than the baseline."""
    if row["outcome"] == "worse":
        low, high = -row["ci_high"], -row["ci_low"]
        row = {"difference": -row["difference"], "ci_low": low, "ci_high": high}
    return _points(row)


def _points(row: Mapping[str, Any], sign: str = "") -> str:
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    return f"{centre:{sign}z.2f} points (95 % {low:z.2f} to {high:z.2f})"
