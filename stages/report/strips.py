"""The charts in the table of folds and differences: one strip per variant; see charts.py."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.figures.comparison import near_others
from stages.report.charts import axis

WIDE, TALL = 260, 30  # pixels of a strip
MOST_DOTS = 100  # folds up to which each has a dot, beside mean and standard deviation


def fold_strips(accuracy: np.ndarray) -> dict[str, Any]:
    """Return one strip per variant: its folds as dots, their mean and standard deviation.

    Args:
        accuracy: float (variants, n), fractions, n at least 2.

    Returns:
        `ticks`, and `rows`: `dots` (a path of points), `low`, `mean`, `high`, and `edge`: on which
        side an outlier lies that is left out of the scale, else "".
    """
    percent = 100 * np.asarray(accuracy, dtype=np.float64)
    mean, std = percent.mean(axis=1), percent.std(axis=1, ddof=1)
    shown = np.column_stack([percent, mean - std, mean + std])[near_others(percent)]
    across, ticks = axis(shown.min(), shown.max(), 8, WIDE - 8)
    # a fold has the same height in every row, so equal scores do not overlap
    height = TALL / 2 + np.linspace(-8, 8, percent.shape[1])
    rows = []
    for values, centre, spread in zip(percent, mean, std, strict=True):
        at = [across(value) for value in (centre - spread, centre, centre + spread)]
        row = dict(zip(("low", "mean", "high"), at, strict=True)) | {"edge": _edge(at[1])}
        few = len(values) <= MOST_DOTS
        points = zip(values, height, strict=True) if few and not row["edge"] else ()
        rows.append(row | {"dots": "".join(f"M{across(x)} {y:.1f}h0" for x, y in points)})
    return {"ticks": ticks, "rows": rows}


def difference_strips(rows: Sequence[Mapping[str, Any]], rope: float) -> dict[str, Any]:
    """Return one strip per variant: its difference to the baseline with the 95 % interval.

    Args:
        rows: `difference`, `ci_low` and `ci_high`, fractions, of each; None of the baseline.
        rope: half the width of the band that is shaded, a fraction.

    Returns:
        `ticks`, `zero`, `band` (left end, width), and `rows`: None for the baseline, else `low`,
        `centre`, `high`, and `edge` as in `fold_strips`.
    """
    keys = ("ci_low", "difference", "ci_high")
    found = [
        None if row["difference"] is None else [100 * row[key] for key in keys] for row in rows
    ]
    values = np.array([one for one in found if one])
    shown = np.append(values[near_others(values)], [-100 * rope, 100 * rope])
    across, ticks = axis(shown.min(), shown.max(), 8, WIDE - 8)
    strips = []
    for one in found:
        at = [min(max(across(value), 0), WIDE) for value in one or ()]
        centre = across(one[1]) if one else 0
        strips.append(
            dict(zip(("low", "centre", "high"), at, strict=True)) | {"edge": _edge(centre)}
            if one
            else None
        )
    band = across(-100 * rope), round(across(100 * rope) - across(-100 * rope), 1)
    return {"ticks": ticks, "zero": across(0), "band": band, "rows": strips}


def _edge(at: float) -> str:
    return "left" if at < 0 else "right" if at > WIDE else ""
