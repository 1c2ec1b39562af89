"""The tables of the page that comparison.md has no room for."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.report import markdown
from stages.report.results import Result
from stages.scoring import statistics
from stages.scoring.agreement import agreement
from stages.scoring.bootstrap import mean_interval
from stages.scoring.interval import wilson
from stages.scoring.power import POWER, Sight, sight

Column = tuple[str, str]  # title, what it holds
Cell = tuple[str, Any]  # text, what the column sorts by or None
SHADES = 5  # of the table of agreement
SCORES = (  # of metrics.json: title, what it holds, how it is written
    ("loss", "loss", "nats", "{:.4f}"),
    ("top_2_accuracy", "top-2 accuracy, %", "", "{:.2%}"),
    ("macro_precision", "precision, %", "mean over classes", "{:.2%}"),
    ("macro_recall", "recall, %", "mean over classes", "{:.2%}"),
    ("macro_f1", "F1, %", "mean over classes", "{:.2%}"),
    ("cohen_kappa", "Cohen's kappa", "", "{:.4f}"),
    ("brier", "Brier score", "0 to 2", "{:.4f}"),
    ("expected_calibration_error", "calibration error", "points", "{:.2%}"),
)


def sights(
    results: Mapping[str, Result], baseline: str, folds: int, rope: float
) -> dict[str, Sight | None]:
    """Return what the comparison of each variant but the baseline can see."""
    reference = results[baseline].accuracy
    return {
        name: sight(result.accuracy - reference, folds, rope)
        for name, result in results.items()
        if name != baseline
    }


def tests(
    names: Sequence[str],
    results: Mapping[str, Result],
    seen: Mapping[str, Sight | None],
    *,
    baseline: str,
    rope: float,
) -> tuple[list[Column], list[list[Cell]]]:
    """Return columns and rows of the table of tests on images, and of what folds can see.

    Args:
        names: the variants, in the order of the rows.
        results: variant -> its results.
        seen: from `sights`.
        baseline: the variant that all others are compared with.
        rope: differences up to this fraction count as none.
    """
    reference = results[baseline]
    images, tests = len(reference.label), len(reference.test_label)
    columns = [("variant", "")]
    columns += [("out-of-fold accuracy, %", f"pooled, n = {images:,}, 95 % (Wilson)")]
    columns += [("test accuracy, %", f"n = {tests:,}, 95 % (bootstrap)")]
    if seen:
        columns += [("difference on test, points", "95 % (paired bootstrap)")]
        columns += [("McNemar p", "out-of-fold"), ("McNemar p, test", "same test images")]
        columns += [("visible, points", f"{100 * POWER:.0f} % power")]
        columns += [("repeats needed", f"to see {100 * rope:g} points")]
    rows = []
    for name in names:
        result = results[name]
        right, test_right = result.right, result.test_right
        row = [(name, name), _interval(right.mean(), *wilson(int(right.sum()), images))]
        row += [_interval(test_right.mean(), *mean_interval(test_right))]
        if seen:
            row += _against(result, reference, seen[name]) if name in seen else [("", None)] * 5
        rows.append(row)
    return columns, rows


def _against(result: Result, reference: Result, seen: Sight | None) -> list[Cell]:
    """Return the cells of one variant that compare it with the baseline."""
    change = result.test_right.astype(int) - reference.test_right
    low, high = mean_interval(change)
    text = f"{100 * change.mean():+z.2f} ({100 * low:z.2f} to {100 * high:z.2f})"
    p = [
        statistics.mcnemar(result.right, reference.right),
        statistics.mcnemar(result.test_right, reference.test_right),
    ]
    cells = [(text, float(change.mean())), *((markdown.chance(one), one) for one in p)]
    if seen is None:
        return [*cells, ("constant", None), ("", None)]
    needed = (f"{seen.repeats:,}", seen.repeats) if seen.repeats else ("no number", float("inf"))
    return [*cells, (f"{100 * seen.detectable:.2f}", seen.detectable), needed]


def scores(
    names: Sequence[str], results: Mapping[str, Result]
) -> tuple[list[Column], list[list[Cell]]]:
    """Return columns and rows of the table of further scores on the test images."""
    columns = [("variant", ""), *((title, note) for _, title, note, _ in SCORES)]
    rows = []
    for name in names:
        found = [(results[name].scores[key], form) for key, *_, form in SCORES]
        cells = [(form.format(value).removesuffix("%"), value) for value, form in found]
        rows.append([(name, name), *cells])
    return columns, rows


def agreements(names: Sequence[str], results: Mapping[str, Result]) -> list[list[tuple[str, int]]]:
    """Return a square of cells (text, shade): above the diagonal test, below it out-of-fold."""
    test = agreement(np.array([results[name].test_guess for name in names]))
    fold = agreement(np.array([results[name].guess for name in names]))
    both = np.triu(test, 1) + np.tril(fold, -1)
    off = both[~np.eye(len(names), dtype=bool)]
    low, high = off.min(), off.max()
    shade = np.ceil(SHADES * (both - low) / max(high - low, 1e-9)).astype(int).clip(1, SHADES)
    return [
        [
            ("", 0) if row == column else (_share(both[row, column]), int(shade[row, column]))
            for column in range(len(names))
        ]
        for row in range(len(names))
    ]


def _interval(centre: float, low: float, high: float) -> Cell:
    text = f"{100 * centre:.2f} ({100 * low:.2f} to {100 * high:.2f})"
    return text, float(centre)


def _share(share: float) -> str:
    """Return percents; what is not all does not look like it."""
    return ">99.9" if 0.9995 <= share < 1 else f"{100 * share:.1f}"
