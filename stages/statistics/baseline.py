"""Every variant against one baseline: all tests, the outcome, and the verdict in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stages.statistics import paired

COLUMNS = (
    "variant",
    "baseline",
    "cv_mean",
    "cv_std",
    "n",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "p_worse",
    "p_equal",
    "p_better",
    "mcnemar_p",
    "verdict",
    "outcome",
)


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
    difference = {
        name: values - accuracy[baseline] for name, values in accuracy.items() if name != baseline
    }
    tested = {
        name: paired.corrected_resampled_t(values, folds)
        | paired.bayesian_correlated_t(values, folds, rope)
        | {"mcnemar_p": paired.mcnemar(correct[name], correct[baseline])}
        for name, values in difference.items()
    }
    adjusted = paired.holm([row["p"] for row in tested.values()])
    for row, p_holm in zip(tested.values(), adjusted, strict=True):
        row["p_holm"] = p_holm
        row["outcome"] = paired.outcome(row, rope)
        row["verdict"] = verdict(row, rope)
    rows = []
    for name, values in accuracy.items():
        score = paired.mean_std(values)
        rows.append(
            dict.fromkeys(COLUMNS)
            | {"variant": name, "baseline": baseline, "n": score["n"]}
            | {"cv_mean": score["mean"], "cv_std": score["std"]}
            | tested.get(name, {"outcome": "baseline", "verdict": "baseline"})
        )
    return rows


def verdict(row: Mapping[str, Any], rope: float) -> str:
    """Return the outcome of one comparison in words, in percentage points."""
    if row["outcome"] == "no difference":
        return f"no difference beyond {100 * rope:g} points"
    if row["outcome"] == "undecided":
        centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
        return f"undecided: {centre:+z.2f} points (95 % {low:z.2f} to {high:z.2f})"
    return f"{row['outcome']} by {margin(row)}"


def margin(row: Mapping[str, Any]) -> str:
    """Return by how many points a variant is better, or worse, than the baseline."""
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    if row["outcome"] == "worse":
        centre, low, high = -centre, -high, -low
    return f"{centre:.2f} points (95 % {low:.2f} to {high:.2f})"
