"""The tables of the page that comparison.md leaves out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.report import markdown
from stages.report.results import Result
from stages.statistics import paired
from stages.statistics.agreement import agreement
from stages.statistics.interval import bootstrap_mean, wilson
from stages.statistics.power import POWER, MinimumDetectable, minimum_detectable

Column = tuple[str, str]  # title, what it holds
Cell = tuple[str, Any]  # text, sort key or None
SHADES = 5  # in the table of agreement
SCORES = (  # key in metrics.json, title, note, format
    ("loss", "loss", "nats", "{:.4f}"),
    ("top_2_accuracy", "top-2 accuracy, %", "", "{:.2%}"),
    ("macro_precision", "precision, %", "mean over classes", "{:.2%}"),
    ("macro_recall", "recall, %", "mean over classes", "{:.2%}"),
    ("macro_f1", "F1, %", "mean over classes", "{:.2%}"),
    ("cohen_kappa", "Cohen's kappa", "", "{:.4f}"),
    ("brier", "Brier score", "0 to 2", "{:.4f}"),
    ("expected_calibration_error", "calibration error", "points", "{:.2%}"),
)


def minimum_detectables(
    results: Mapping[str, Result], baseline: str, folds: int, rope: float
) -> dict[str, MinimumDetectable | None]:
    """Return for each variant but the baseline what its comparison can detect."""
    reference = results[baseline].accuracy
    return {
        name: minimum_detectable(result.accuracy - reference, folds, rope)
        for name, result in results.items()
        if name != baseline
    }


def tests(
    names: Sequence[str],
    results: Mapping[str, Result],
    detectable: Mapping[str, MinimumDetectable | None],
    *,
    baseline: str,
    rope: float,
) -> tuple[list[Column], list[list[Cell]]]:
    """Return columns and rows of the table of tests on images, and of the folds' power.

    Args:
        names: the variants, in the order of the rows.
        results: variant -> its results.
        detectable: from `minimum_detectables`.
        baseline: the variant that all others are compared with.
        rope: differences up to this fraction count as none.
    """
    reference = results[baseline]
    images, tests = len(reference.label), len(reference.test_label)
    columns = [("variant", "")]
    columns += [("out-of-fold accuracy, %", f"pooled, n = {images:,}, 95 % (Wilson)")]
    columns += [("test accuracy, %", f"n = {tests:,}, 95 % (bootstrap)")]
    if detectable:
        columns += [("difference on test, points", "95 % (paired bootstrap)")]
        columns += [("McNemar p", "out-of-fold"), ("McNemar p, test", "same test images")]
        columns += [("minimum detectable effect, points", f"{100 * POWER:.0f} % power")]
        columns += [("repeats needed", f"to detect {100 * rope:g} points")]
    rows = []
    for name in names:
        result = results[name]
        correct, test_correct = result.correct, result.test_correct
        row = [(name, name), _interval(correct.mean(), *wilson(int(correct.sum()), images))]
        row += [_interval(test_correct.mean(), *bootstrap_mean(test_correct))]
        if name in detectable:
            row += _against(result, reference, detectable[name])
        elif detectable:
            row += [("", None)] * 5
        rows.append(row)
    return columns, rows


def _against(result: Result, reference: Result, detectable: MinimumDetectable | None) -> list[Cell]:
    """Return the cells that compare one variant with the baseline."""
    change = result.test_correct.astype(int) - reference.test_correct
    low, high = bootstrap_mean(change)
    text = f"{100 * change.mean():+z.2f} ({100 * low:z.2f} to {100 * high:z.2f})"
    p = [
        paired.mcnemar(result.correct, reference.correct),
        paired.mcnemar(result.test_correct, reference.test_correct),
    ]
    cells = [(text, float(change.mean())), *((markdown.probability(one), one) for one in p)]
    if detectable is None:
        return [*cells, ("constant", None), ("", None)]
    effect, _, repeats = detectable
    needed = (f"{repeats:,}", repeats) if repeats else ("no number", float("inf"))
    return [*cells, (f"{100 * effect:.2f}", effect), needed]


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
    """Return a square of cells (text, shade): test above the diagonal, out-of-fold below it."""
    test = agreement(np.array([results[name].test_predicted for name in names]))
    fold = agreement(np.array([results[name].predicted for name in names]))
    both = np.triu(test, 1) + np.tril(fold, -1)
    off = both[~np.eye(len(names), dtype=bool)]
    low, high = off.min(), off.max()
    shade = np.ceil(SHADES * (both - low) / max(high - low, 1e-9)).astype(int).clip(1, SHADES)
    return [
        [
            ("", 0) if row == column else (_percent(both[row, column]), int(shade[row, column]))
            for column in range(len(names))
        ]
        for row in range(len(names))
    ]


def _interval(centre: float, low: float, high: float) -> Cell:
    text = f"{100 * centre:.2f} ({100 * low:.2f} to {100 * high:.2f})"
    return text, float(centre)


def _percent(fraction: float) -> str:
    """Format percents; only 1 itself is 100."""
    return ">99.9" if 0.9995 <= fraction < 1 else f"{100 * fraction:.1f}"
