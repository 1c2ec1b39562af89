"""Every variant against one baseline: all tests, and the verdict in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stages.scoring import statistics

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
)


def against_baseline(
    accuracy: Mapping[str, np.ndarray],
    right: Mapping[str, np.ndarray],
    baseline: str,
    folds: int,
    rope: float,
) -> list[dict[str, Any]]:
    """Compare each variant with the baseline.

    Args:
        accuracy: variant -> float (n,), of the same folds.
        right: variant -> bool (images,), which images its out-of-fold prediction hits.
        baseline: one of the variants.
        folds: folds of one cross-validation.
        rope: differences up to this fraction count as none.

    Returns:
        One row a variant in the order of `accuracy`: the columns of comparison.csv, and `outcome`.
        The baseline's own comparison cells are None.
    """
    difference = {
        name: values - accuracy[baseline] for name, values in accuracy.items() if name != baseline
    }
    found = {
        name: statistics.corrected_resampled_t(values, folds)
        | statistics.bayesian_correlated_t(values, folds, rope)
        | {"mcnemar_p": statistics.mcnemar(right[name], right[baseline])}
        for name, values in difference.items()
    }
    adjusted = statistics.holm([row["p"] for row in found.values()])
    for row, p_holm in zip(found.values(), adjusted, strict=True):
        row["p_holm"] = p_holm
        row["outcome"] = statistics.outcome(row, rope)
        row["verdict"] = verdict(row, rope)
    rows = []
    for name, values in accuracy.items():
        score = statistics.mean_std(values)
        rows.append(
            dict.fromkeys(COLUMNS)
            | {"variant": name, "baseline": baseline, "n": score["n"]}
            | {"cv_mean": score["mean"], "cv_std": score["std"]}
            | found.get(name, {"outcome": "baseline", "verdict": "baseline"})
        )
    return rows


def verdict(row: Mapping[str, Any], rope: float) -> str:
    """Return the outcome of one comparison as a person would say it, in percentage points."""
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    if row["outcome"] == "no difference":
        return f"no difference beyond {100 * rope:g} points"
    if row["outcome"] == "undecided":
        return f"undecided: {centre:+z.2f} points (95 % {low:z.2f} to {high:z.2f})"
    if row["outcome"] == "worse":
        centre, low, high = -centre, -high, -low
    return f"{row['outcome']} by {centre:.2f} points (95 % {low:.2f} to {high:.2f})"
