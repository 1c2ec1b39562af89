"""The comparison in Markdown: for a terminal, a repository, a job's summary or a pull request."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.checks import Finding
from stages.report.comparison import Comparison
from stages.report.settings import ON_VALIDATION
from stages.report.templates import TEMPLATES
from stages.statistics.baseline import margin
from stages.statistics.interval import wilson
from stages.statistics.metrics import metric_of
from stages.statistics.power import POWER

PHRASES = {
    "better": ("is better", "are better"),
    "worse": ("is worse", "are worse"),
    "no difference": ("makes no difference", "make no difference"),
    "undecided": ("is undecided", "are undecided"),
}


def report(comparison: Comparison, findings: Sequence[Finding]) -> str:
    """Return the content of comparison.md: verdict, findings, table, and notes on reading it."""
    tested, metric = comparison.tested, comparison.metric
    columns = ["variant", f"{metric.column} (n = {comparison.folds * comparison.repeats})"]
    if tested:
        columns += [f"difference, {metric.unit} (95 %)", "P(better)", "P(best)", "Holm p"]
    columns += [f"test accuracy, % (n = {comparison.test_images:,})", "parameters"]
    columns += ["verdict"] if tested else []
    lines = ["# Comparison", "", headline(comparison.best_first, comparison.baseline), ""]
    lines += [f"- {one.severity}: {one.text} (`{one.code}`)" for one in findings]
    lines += [""] if findings else []
    lines += table(columns, [_cells(row, tested) for row in comparison.best_first])
    caption = f"{metric.title} of each fold"
    caption += f", and differences from {comparison.baseline}" if tested else ""
    lines += ["", f"![{caption}](plots/comparison.png)", ""]
    lines += [f"- {note}" for note in notes(comparison)]
    return "\n".join(lines) + "\n"


def headline(best_first: Sequence[Mapping[str, Any]], baseline: str) -> str:
    """Return the verdict on all variants in one sentence, from the rows of a Comparison."""
    others = [row for row in best_first if row["variant"] != baseline]
    if not others:
        (only,) = best_first
        metric = metric_of(only)
        return (
            f"`{baseline}` is the only variant, so nothing is tested; its cross-validated "
            f"{metric.label} is {mean_std(only)}{metric.sign} (mean ± sd, n = {only['n']})."
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


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a Markdown table; all columns but the first `left` are right-aligned."""
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return ["| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows)]


def _cells(row: Mapping[str, Any], tested: bool) -> list[str]:
    cells = [f"`{row['variant']}`", mean_std(row)]
    if tested:
        numbers = (probability(row[key]) for key in ("p_better", "p_best", "p_holm"))
        cells += [difference(row), *numbers]
    cells += [f"{100 * row['test_accuracy']:.2f}", f"{row['parameters']:,}"]
    return [*cells, row["outcome"]] if tested else cells


def mean_std(row: Mapping[str, Any]) -> str:
    """Return a cross-validated score, as its metric is written: mean ± sample deviation."""
    return metric_of(row).mean_std(row["cv_mean"], row["cv_std"])


def difference(row: Mapping[str, Any]) -> str:
    """Return the difference from the baseline with its interval; "" for the baseline."""
    if row["difference"] is None:
        return ""
    return metric_of(row).difference(row["difference"], row["ci_low"], row["ci_high"])


def probability(p: float | None) -> str:
    """Format a probability with three decimals; 0 is a share of many draws, so below 0.001."""
    if p is None:
        return ""
    if p == 1:  # of a corrected p
        return "1"
    return "<0.001" if p < 0.001 else ">0.999" if p > 0.999 else f"{p:.3f}"


def notes(comparison: Comparison) -> list[str]:
    """Return notes on how to read the table."""
    rows = comparison.best_first
    images = comparison.test_images
    low, high = (100 * end for end in wilson(round(rows[0]["test_accuracy"] * images), images))
    interval = f"{low:.2f} to {high:.2f} %"
    users = {
        choice: [f"`{row['variant']}`" for row in rows if key in row["on_validation"]]
        for key, choice in ON_VALIDATION.items()
    }
    template = TEMPLATES.get_template("notes.md.j2")
    return template.render(comparison=comparison, interval=interval, users=users).splitlines()


def power_note(comparison: Comparison) -> str:
    """Return which differences the folds can detect, and what detecting the ROPE would take."""
    known = {name: one for name, one in comparison.detectable.items() if one}
    most = max((one.effect for one in known.values()), default=0)
    factor = (most / comparison.rope) ** 2 if comparison.rope else math.inf
    times = f"{float(f'{factor:.1e}'):,.0f}" if factor >= 10 else f"{factor:.1f}"
    enough = {name: one.repeats for name, one in known.items() if one.repeats}
    template = TEMPLATES.get_template("power.md.j2")
    power = f"{100 * POWER:.0f} %"
    numbers = {"known": known, "enough": enough, "times": times, "power": power}
    return " ".join(template.render(comparison=comparison, **numbers).split())
