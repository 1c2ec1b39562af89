"""The tables of report.html."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.figures.confusion import percent
from stages.report.comparison import Comparison
from stages.report.markdown import difference, mean_std, probability
from stages.report.results import Result
from stages.statistics.interval import discordant, wilson
from stages.statistics.paired import mcnemar
from stages.statistics.power import POWER

Column = tuple[str, str]  # title, note
Cell = tuple[str, Any]  # text, sort key or None
Table = list[dict[Column, Cell]]  # one row per variant, the best first
Square = list[list[tuple[str, int, str]]]  # text, shade (0: none, as on the diagonal), tooltip
PROBABILITIES = {"P(better)": "p_better", "P(best)": "p_best", "Holm p": "p_holm"}
SHADES = 5  # in the table of agreement
SCORE_COLUMNS = (  # key in metrics.json, title, note, format
    ("loss", "loss", "nats", "{:.4f}"),
    ("top_2_accuracy", "top-2 accuracy, %", "", "{:.2%}"),
    ("macro_precision", "precision, %", "mean over classes", "{:.2%}"),
    ("macro_recall", "recall, %", "mean over classes", "{:.2%}"),
    ("macro_f1", "F1, %", "mean over classes", "{:.2%}"),
    ("cohen_kappa", "Cohen's kappa", "", "{:.4f}"),
    ("brier", "Brier score", "0 to 2", "{:.4f}"),
    ("expected_calibration_error", "calibration error", "points", "{:.2%}"),
)


def results(comparison: Comparison) -> Table:
    """Return the table of results, with columns of tests for two variants or more."""
    table: Table = []
    metric, images = comparison.metric, comparison.test_images
    for row in comparison.best_first:
        test = row["test_accuracy"]
        low, high = wilson(round(test * images), images)
        test_text = f"{100 * test:.2f} ({100 * low:.1f} to {100 * high:.1f})"
        cells = _named(row["variant"])
        if comparison.tested:
            cells["verdict", ""] = row["outcome"], row["outcome"]
        cells[metric.column, f"mean ± sd, n = {row['n']}"] = mean_std(row), row["cv_mean"]
        if comparison.tested:
            title = f"difference, {metric.unit}"
            cells[title, "95 % interval"] = difference(row), row["difference"]
            for title, key in PROBABILITIES.items():
                cells[title, ""] = probability(row[key]), row[key]
        cells["test accuracy, %", f"n = {images:,}, 95 % interval"] = test_text, test
        cells["parameters", ""] = f"{row['parameters']:,}", row["parameters"]
        table.append(cells)
    return table


def _named(name: str) -> dict[Column, Cell]:
    """Return the first cell of a variant's row."""
    return {("variant", ""): (name, name)}


def tests(comparison: Comparison) -> Table:
    """Return the table of tests on images, and of what the folds can detect."""
    table: Table = []
    for name in comparison.names:
        correct = comparison.results[name].correct
        images = len(correct)
        cells = _named(name)
        cells["out-of-fold accuracy, %", f"pooled, n = {images:,}, 95 % (Wilson)"] = _interval(
            correct.mean(), *wilson(int(correct.sum()), images)
        )
        if comparison.tested:
            against = _against(comparison, name)
            empty = dict.fromkeys(against, ("", None))
            cells |= empty if name == comparison.baseline else against
        table.append(cells)
    return table


def _interval(centre: float, low: float, high: float) -> Cell:
    return f"{100 * centre:.2f} ({100 * low:.2f} to {100 * high:.2f})", float(centre)


def _against(comparison: Comparison, name: str) -> dict[Column, Cell]:
    """Return the cells that compare one variant with the baseline."""
    result, reference = comparison.results[name], comparison.results[comparison.baseline]
    metric = comparison.metric
    gained = int((result.test_correct & ~reference.test_correct).sum())
    lost = int((reference.test_correct & ~result.test_correct).sum())
    images = len(result.test_correct)
    centre, (low, high) = (gained - lost) / images, discordant(gained, lost, images)
    p = mcnemar(result.correct, reference.correct)
    test_p = mcnemar(result.test_correct, reference.test_correct)
    effect: Cell = ("constant", None)
    needed: Cell = ("", None)
    if detectable := comparison.detectable.get(name):
        size = metric.scale * detectable.effect
        effect = f"{size:.{metric.digits}f}", detectable.effect
        repeats = detectable.repeats
        needed = (f"{repeats:,}", repeats) if repeats else ("no number", None)
    text = difference({"difference": centre, "ci_low": low, "ci_high": high})
    return {
        ("difference on test, points", "95 % (Bonett and Price)"): (text, centre),
        ("McNemar p", "out-of-fold"): (probability(p), p),
        ("McNemar p, test", "same test images"): (probability(test_p), test_p),
        (f"minimum detectable effect, {metric.unit}", f"{100 * POWER:.0f} % power"): effect,
        ("repeats needed", f"to detect {metric.amount(comparison.rope)}"): needed,
    }


def pairs(comparison: Comparison) -> Square:
    """Return a square of the tests of all pairs, best variants first.

    Above the diagonal are differences, row minus column, and below it Holm-corrected p values. The
    shade shows that one of the two is better.
    """
    order = comparison.shown
    square: Square = [[("-", 0, "")] * len(order) for _ in order]
    for row in comparison.pairs:
        one, other = order.index(row["variant"]), order.index(row["other"])
        shade, text = 2 * (row["outcome"] in ("better", "worse")), difference(row)
        title = f"{row['variant']} against {row['other']}: {row['outcome']}, {text}"
        square[one][other] = text.split(" ")[0], shade, title
        square[other][one] = probability(row["p_holm"]), shade, title
    return square


def scores(comparison: Comparison) -> Table:
    """Return the table of further scores on the test images."""
    table: Table = []
    two_classes = len(comparison.dataset["classes"]) == 2  # then the top-2 accuracy is always 1
    for name in comparison.names:
        metrics = comparison.results[name].metrics
        cells = _named(name) | {
            (title, note): (form.format(metrics["test"][key]).rstrip("%"), metrics["test"][key])
            for key, title, note, form in SCORE_COLUMNS
            if not (two_classes and key == "top_2_accuracy")
        }
        cells["model file, MB", ""] = f"{metrics['model_bytes'] / 1e6:.1f}", metrics["model_bytes"]
        table.append(cells)
    return table


def temperatures(comparison: Comparison) -> Table:
    """Return the table of temperature scaling."""
    table: Table = []
    for name in comparison.names:
        scaling, cells = comparison.results[name].metrics["temperature"], _named(name)
        cells["temperature", "fitted out of fold"] = f"{scaling['fitted']:.2f}", scaling["fitted"]
        for key in ("without", "with"):
            loss = scaling[f"test_loss_{key}"]
            cells["test loss, nats", f"{key} it"] = f"{loss:.4f}", loss
        used = "yes" if scaling["in_model"] else "no"
        cells["in the model", ""] = used, used
        table.append(cells)
    return table


def coverages(comparison: Comparison) -> Table:
    """Return the table of prediction sets of the test images."""
    table: Table = []
    for name in comparison.names:
        cells = _named(name)
        for one in comparison.results[name].coverage:
            title = f"{100 * one.wanted:g} % sets"
            low, high = wilson(one.covered, one.images)
            cells[title, "hold the true class, % (95 %)"] = _interval(
                one.covered / one.images, low, high
            )
            cells[title, "sure, %"] = f"{100 * one.sure / one.images:.1f}", one.sure
            share = one.sure_and_correct / one.sure if one.sure else None
            correct = "" if share is None else f"{100 * share:.2f}"
            cells[title, "correct when sure, %"] = correct, share
        table.append(cells)
    return table


def recalls(comparison: Comparison, shown: Sequence[str]) -> Table:
    """Return the table of recalls on the test images: one row per class, one column per variant."""
    columns = {name: comparison.results[name].per_class for name in shown}
    table: Table = []
    for index, (number, _, _, _, images) in enumerate(columns[shown[0]]):
        name = comparison.dataset["classes"][number]
        cells: dict[Column, Cell] = {("class", ""): (name, name)}
        cells["test images", ""] = f"{images:,}", images
        for variant, per_class in columns.items():
            recall = per_class[index][2]
            cells[variant, ""] = (f"{100 * recall:.1f}", recall) if images else ("", None)
        table.append(cells)
    return table


def areas(comparison: Comparison, shown: Sequence[str]) -> Table:
    """Return the table of areas under the curves of two classes: one row per variant."""
    table: Table = []
    for name in shown:
        cells = _named(name)
        for kind, what in (("oof", "out-of-fold"), ("test", "test")):
            for key, title in (("roc_auc", "ROC AUC"), ("average_precision", "average precision")):
                area = comparison.results[name].curves[kind].get(key)
                cells[title, what] = ("" if area is None else f"{area:.4f}", area)
        table.append(cells)
    return table


def agreements(names: Sequence[str], results: Mapping[str, Result]) -> Square:
    """Return a square of agreement, on the test images above the diagonal and out of fold below.

    The shades are from 1 to SHADES.
    """
    test = np.array([results[name].test_predicted for name in names])
    fold = np.array([results[name].predicted for name in names])
    above, below = ((rows[:, None] == rows).mean(axis=2) for rows in (test, fold))
    both = np.triu(above, 1) + np.tril(below, -1)
    off = both[~np.eye(len(names), dtype=bool)]
    low, high = off.min(), off.max()
    shade = np.ceil(SHADES * (both - low) / max(high - low, 1e-9)).astype(int).clip(1, SHADES)
    np.fill_diagonal(shade, 0)
    return [
        [(percent(v) if s else "\N{EN DASH}", s, "") for v, s in zip(*row, strict=True)]
        for row in zip(both.tolist(), shade.tolist(), strict=True)
    ]
