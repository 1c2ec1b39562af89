"""The tables of the page that comparison.md leaves out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.report.comparison import Comparison
from stages.report.markdown import difference, probability
from stages.report.results import Result
from stages.statistics.agreement import agreement
from stages.statistics.interval import bootstrap_mean, wilson
from stages.statistics.paired import mcnemar
from stages.statistics.power import POWER, MinimumDetectable

Column = tuple[str, str]  # title, what it holds
Cell = tuple[str, Any]  # text, sort key or None
Table = tuple[list[Column], list[list[Cell]]]  # columns, and rows with the best variant first
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


def tests(found: Comparison) -> Table:
    """Return the table of tests on images, and of what the folds can detect."""
    reference = found.results[found.baseline]
    images, tests = len(reference.label), len(reference.test_label)
    columns = [
        ("variant", ""),
        ("out-of-fold accuracy, %", f"pooled, n = {images:,}, 95 % (Wilson)"),
        ("test accuracy, %", f"n = {tests:,}, 95 % (bootstrap)"),
    ]
    if found.tested:
        columns += [
            ("difference on test, points", "95 % (paired bootstrap)"),
            ("McNemar p", "out-of-fold"),
            ("McNemar p, test", "same test images"),
            ("minimum detectable effect, points", f"{100 * POWER:.0f} % power"),
            ("repeats needed", f"to detect {100 * found.rope:g} points"),
        ]
    rows = []
    for name in (row["variant"] for row in found.best_first):
        result = found.results[name]
        correct, test_correct = result.correct, result.test_correct
        row = [(name, name), _interval(correct.mean(), *wilson(int(correct.sum()), images))]
        row += [_interval(test_correct.mean(), *bootstrap_mean(test_correct))]
        if name != found.baseline:
            row += _against(result, reference, found.detectable[name])
        elif found.tested:
            row += [("", None)] * 5
        rows.append(row)
    return columns, rows


def _interval(centre: float, low: float, high: float) -> Cell:
    return f"{100 * centre:.2f} ({100 * low:.2f} to {100 * high:.2f})", float(centre)


def _against(result: Result, reference: Result, detectable: MinimumDetectable | None) -> list[Cell]:
    """Return the cells that compare one variant with the baseline."""
    change = result.test_correct.astype(int) - reference.test_correct
    low, high = bootstrap_mean(change)
    centre = float(change.mean())
    p = mcnemar(result.correct, reference.correct)
    test_p = mcnemar(result.test_correct, reference.test_correct)
    cells = [(difference({"difference": centre, "ci_low": low, "ci_high": high}), centre)]
    cells += [(probability(p), p), (probability(test_p), test_p)]
    if detectable is None:
        return [*cells, ("constant", None), ("", None)]
    effect, _, repeats = detectable
    needed = (f"{repeats:,}", repeats) if repeats else ("no number", float("inf"))
    return [*cells, (f"{100 * effect:.2f}", effect), needed]


def scores(found: Comparison) -> Table:
    """Return the table of further scores on the test images."""
    columns = [("variant", ""), *((title, note) for _, title, note, _ in SCORES)]
    rows = []
    for name in (row["variant"] for row in found.best_first):
        values = found.results[name].scores
        cells = [(form.format(values[key]).rstrip("%"), values[key]) for key, *_, form in SCORES]
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
    cells = [
        [(_percent(value), one) for value, one in zip(values, shades, strict=True)]
        for values, shades in zip(both.tolist(), shade.tolist(), strict=True)
    ]
    for number, row in enumerate(cells):
        row[number] = ("", 0)
    return cells


def _percent(fraction: float) -> str:
    """Format percents; only 1 itself is 100."""
    return ">99.9" if 0.9995 <= fraction < 1 else f"{100 * fraction:.1f}"
