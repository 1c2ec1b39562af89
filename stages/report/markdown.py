"""The comparison in Markdown: for a terminal, a repository, a job's summary or a pull request."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.comparison import Comparison
from stages.report.settings import ON_VALIDATION
from stages.report.templates import TEMPLATES
from stages.statistics.baseline import margin
from stages.statistics.power import POWER

PHRASES = {
    "better": ("is better", "are better"),
    "worse": ("is worse", "are worse"),
    "no difference": ("makes no difference", "make no difference"),
    "undecided": ("is undecided", "are undecided"),
}


def comparison(found: Comparison) -> str:
    """Return the content of comparison.md: the verdict, the table, and notes on reading it."""
    tested = found.tested
    columns = ["variant", f"CV accuracy, % (n = {found.folds * found.repeats})"]
    columns += ["difference, points (95 %)", "P(better)", "Holm p"] if tested else []
    columns += [f"test accuracy, % (n = {found.test_images:,})", "parameters"]
    columns += ["verdict"] if tested else []
    lines = ["# Comparison", "", headline(found), ""]
    lines += table(columns, [_cells(row, tested) for row in found.best_first])
    shown = "Accuracy of each fold" + (f", and differences to {found.baseline}" if tested else "")
    lines += ["", f"![{shown}](plots/comparison.png)", ""]
    lines += [f"- {note}" for note in notes(found)]
    return "\n".join(lines) + "\n"


def headline(found: Comparison) -> str:
    """Return the verdict on all variants in one sentence."""
    baseline = f"`{found.baseline}`"
    others = [row for row in found.best_first if row["variant"] != found.baseline]
    if not others:
        only = found.rows[0]
        return (
            f"{baseline} is the only variant, so nothing is tested; its cross-validated accuracy "
            f"is {mean_std(only)} % (mean ± sd, n = {only['n']})."
        )
    if len(others) == 1:
        return f"`{others[0]['variant']}` against the baseline {baseline}: {others[0]['verdict']}."
    counts = Counter(row["outcome"] for row in others)
    parts = [f"{counts[key]} {PHRASES[key][counts[key] > 1]}" for key in PHRASES if counts[key]]
    tally = f"of {len(others)} variants tested, {', '.join(parts)}"
    best = next((row for row in others if row["outcome"] == "better"), None)
    if best is None:
        return f"No variant is shown to be better than the baseline {baseline}: {tally}."
    return f"`{best['variant']}` is better than the baseline {baseline} by {margin(best)}; {tally}."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a Markdown table; all columns but the first `left` are right-aligned."""
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return ["| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows)]


def _cells(row: Mapping[str, Any], tested: bool) -> list[str]:
    cells = [f"`{row['variant']}`", mean_std(row)]
    if tested:
        cells += [difference(row), *(probability(row[key]) for key in ("p_better", "p_holm"))]
    cells += [f"{100 * row['test_accuracy']:.2f}", f"{row['parameters']:,}"]
    return [*cells, row["outcome"]] if tested else cells


def mean_std(row: Mapping[str, Any]) -> str:
    """Return a cross-validated accuracy in percent: mean ± sample standard deviation."""
    return f"{100 * row['cv_mean']:.2f} ± {100 * row['cv_std']:.2f}"


def difference(row: Mapping[str, Any]) -> str:
    """Return the difference to the baseline in points, with its interval; "" for the baseline."""
    if row["difference"] is None:
        return ""
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    return f"{centre:+z.2f} ({low:z.2f} to {high:z.2f})"


def probability(p: float | None) -> str:
    """Format a probability with three decimals; only 0 and 1 themselves look certain."""
    if p is None:
        return ""
    if p in (0, 1):
        return f"{p:.0f}"
    return "<0.001" if p < 0.001 else ">0.999" if p > 0.999 else f"{p:.3f}"


def notes(found: Comparison) -> list[str]:
    """Return notes on how to read the table."""
    rows = found.best_first
    best = rows[0]["test_accuracy"]
    error = 100 * math.sqrt(best * (1 - best) / found.test_images)
    users = {
        choice: [f"`{row['variant']}`" for row in rows if key in row["on_validation"]]
        for key, choice in ON_VALIDATION.items()
    }
    text = TEMPLATES.get_template("notes.md.j2").render(found=found, error=error, users=users)
    return text.splitlines()


def verdict_note(found: Comparison) -> str:
    """Return what the verdict is based on, and why the first of two or more rows is biased."""
    best, number = found.best_first[0], len(found.rows) - 1
    times = f" ({found.folds} folds x {found.repeats} repeats)" if found.repeats > 1 else ""
    role = "the baseline" if best["variant"] == found.baseline else best["outcome"]
    first = (
        f"All variants were scored on the same n = {best['n']} folds{times}. "
        f"`{best['variant']}` ({role}) has the highest mean: {mean_std(best)} %"
    )
    if number == 1:
        return f"{first}. With a single comparison, p needs no correction."
    return (
        f"{first}; as the best of {number + 1} on the same folds it is biased upward. Better and "
        f"worse are corrected for all {number} comparisons (Holm); each 95 % interval covers its "
        "own comparison only."
    )


def power_note(found: Comparison) -> str:
    """Return which differences the folds can detect, and what detecting the ROPE would take."""
    folds, repeats, rope = found.folds, found.repeats, found.rope
    known = {name: one for name, one in found.detectable.items() if one}
    scheme = f"{folds} folds x {repeats} repeat{'s' if repeats > 1 else ''}"
    if not known:
        return f"Differences are constant over the {scheme}, so power cannot be estimated."
    effects = [100 * one.effect for one in known.values()]
    several = len(effects) > 1
    text = (
        f"With {scheme} the minimum detectable effect is {min(effects):.2f} "
        f"{f'to {max(effects):.2f} ' if several else ''}points ({100 * POWER:.0f} % power, each "
        f"test alone at 5 %){', depending on the variant' if several else ''}. "
    )
    if not rope:
        return text + "`compare.rope` is 0, and no experiment can detect a difference of 0."
    size = f"{100 * rope:g} points (`compare.rope`)"
    enough = {name: one.repeats for name, one in known.items() if one.repeats}
    if enough:
        most = max(enough.values())
        text += f"Detecting {size} takes {most:,} repeat{'s' if most > 1 else ''} of {folds} folds"
        if len(enough) == len(known):
            return text + "."
        named = ", ".join(f"`{name}`" for name in [*enough][:3])
        more = f" and {len(enough) - 3} more" if len(enough) > 3 else ""
        text += f" for {named}{more}; for the other {len(known) - len(enough)} no number suffices. "
    else:
        text += f"No number of repeats of {folds} folds suffices to detect {size}. "
    limit = 100 * max(one.limit for one in known.values())
    factor = (max(effects) / (100 * rope)) ** 2
    times = f"{float(f'{factor:.1e}'):,.0f}" if factor >= 10 else f"{factor:.1f}"
    return text + (
        f"Repeats share their images, so effects below {limit:.2f} points stay undetectable. It "
        f"would take about {times} times as many images, if the standard deviation falls with the "
        "square root of their number."
    )
