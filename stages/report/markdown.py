"""The comparison in Markdown: for a terminal, a repository, a job's summary or a pull request."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.settings import ON_VALIDATION
from stages.statistics.baseline import margin

PHRASES = {
    "better": ("is better", "are better"),
    "worse": ("is worse", "are worse"),
    "no difference": ("makes no difference", "make no difference"),
    "undecided": ("is undecided", "are undecided"),
}


def comparison(
    rows: Sequence[Mapping[str, Any]],
    *,
    baseline: str,
    folds: int,
    repeats: int,
    test_images: int,
    uses: int,
    rope: float,
) -> str:
    """Return the whole report: the verdict, the table, and notes on how to read it.

    Args:
        rows: one per variant, best first, with the columns of comparison.csv, `test_accuracy`,
            `parameters`, and `on_validation` (of `stages.report.settings.on_validation`).
        baseline: the variant that all others are compared with.
        folds: folds of one cross-validation.
        repeats: how often it was repeated.
        test_images: size of the test set.
        uses: number of models that it has scored.
        rope: differences up to this fraction count as none.
    """
    tested = len(rows) > 1
    columns = ["variant", f"CV accuracy, % (n = {folds * repeats})"]
    columns += ["difference, points (95 %)", "P(better)", "Holm p"] if tested else []
    columns += [f"test accuracy, % (n = {test_images:,})", "parameters"]
    columns += ["verdict"] if tested else []
    lines = ["# Comparison", "", headline(rows, baseline), ""]
    lines += table(columns, [_cells(row, tested) for row in rows])
    shown = "Accuracy of each fold" + (f", and differences to {baseline}" if tested else "")
    lines += ["", f"![{shown}](plots/comparison.png)", ""]
    reading = notes(rows, baseline, folds, repeats, test_images, uses, rope)
    lines += [f"- {note}" for note in reading]
    return "\n".join(lines) + "\n"


def headline(rows: Sequence[Mapping[str, Any]], baseline: str) -> str:
    """Return the verdict on all variants in one sentence; `rows` as in `comparison`."""
    others = [row for row in rows if row["variant"] != baseline]
    if not others:
        only = rows[0]
        accuracy = f"{mean_std(only)} % (mean ± sd, n = {only['n']})"
        return (
            f"`{baseline}` is the only variant, so nothing is tested; "
            f"its cross-validated accuracy is {accuracy}."
        )
    if len(others) == 1:
        return (
            f"`{others[0]['variant']}` against the baseline `{baseline}`: {others[0]['verdict']}."
        )
    counts = Counter(row["outcome"] for row in others)
    parts = [f"{counts[key]} {PHRASES[key][counts[key] > 1]}" for key in PHRASES if counts[key]]
    tally = f"of {len(others)} variants tested, {', '.join(parts)}"
    best = next((row for row in others if row["outcome"] == "better"), None)
    if best is None:
        return f"No variant is shown to be better than the baseline `{baseline}`: {tally}."
    return (
        f"`{best['variant']}` is better than the baseline `{baseline}` by {margin(best)}; {tally}."
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; all columns but the first are right-aligned."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows)]


def _cells(row: Mapping[str, Any], tested: bool) -> list[str]:
    first = [f"`{row['variant']}`", mean_std(row)]
    last = [f"{100 * row['test_accuracy']:.2f}", f"{row['parameters']:,}"]
    if not tested:
        return first + last
    if row["outcome"] == "baseline":
        return [*first, "", "", "", *last, "baseline"]
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    test = f"{centre:+z.2f} ({low:z.2f} to {high:z.2f})"
    chances = [probability(row["p_better"]), probability(row["p_holm"])]
    return [*first, test, *chances, *last, row["outcome"]]


def mean_std(row: Mapping[str, Any]) -> str:
    """Return a cross-validated accuracy in percent: mean ± sample standard deviation."""
    return f"{100 * row['cv_mean']:.2f} ± {100 * row['cv_std']:.2f}"


def probability(p: float) -> str:
    """Format a probability with three decimals; only 0 and 1 themselves look certain."""
    if p in (0, 1):
        return f"{p:.0f}"
    return "<0.001" if p < 0.001 else ">0.999" if p > 0.999 else f"{p:.3f}"


def notes(
    rows: Sequence[Mapping[str, Any]],
    baseline: str,
    folds: int,
    repeats: int,
    test_images: int,
    uses: int,
    rope: float,
) -> list[str]:
    """Return notes on how to read the table; arguments as in `comparison`."""
    scores = f"{folds} folds" if repeats == 1 else f"{folds} folds x {repeats} repeats"
    best = rows[0]["test_accuracy"]
    error = 100 * math.sqrt(best * (1 - best) / test_images)
    lines = [
        f"CV accuracy: mean ± sample standard deviation over {scores} of the training images. "
        "The test accuracy is that of the model that is shipped; with so many test images the "
        f"first row's has a standard error of {error:.2f} points.",
        f"This test set was scored by {uses:,} training{'s' if uses > 1 else ''} in this "
        "repository (`results/test_set_uses.csv`). Choices made after a look at its scores make "
        "them optimistic, the more so the more there are to choose from.",
    ]
    chosen = []
    for key, choice in ON_VALIDATION.items():
        if names := [f"`{row['variant']}`" for row in rows if key in row["on_validation"]]:
            chosen.append(f"{choice} of {', '.join(names)}")
    if both := ", and ".join(chosen):
        lines.append(
            f"{both[0].upper()}{both[1:]}{',' if len(chosen) > 1 else ''} on the images that score "
            "the fold, which favours the CV accuracy a little; the test accuracy is free of that."
        )
    if repeats > 1:
        lines.append(
            f"An out-of-fold prediction is that of the mean of the {repeats} models, one of each "
            "repeat, that did not train on the image; the pooled accuracy and McNemar's test "
            "are about these means."
        )
    if len(rows) == 1:
        return lines
    return [
        *lines,
        f"Differences to `{baseline}` are paired fold by fold. Interval and p: corrected resampled "
        "t test (Nadeau and Bengio 2003); P(better): its Bayesian form (Benavoli et al. 2017); "
        f"both allow for training sets that overlap. Holm p allows for {len(rows) - 1} "
        f"{'test' if len(rows) == 2 else 'tests'}; the intervals are not corrected so.",
        f"Verdict: *no difference* when the difference is surely (95 %) within {100 * rope:g} "
        "points; else *better* or *worse* when Holm p is below 0.05; else *undecided*: these folds "
        "cannot tell.",
        f"The best of {len(rows)} variants on the same folds is biased upward: part of its lead is "
        "luck with these folds.",
        "`mcnemar_p` in comparison.csv (out-of-fold predictions) is about these very models, not "
        "about their recipes.",
    ]
