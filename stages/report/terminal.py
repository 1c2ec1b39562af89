"""The comparison for a terminal: a table, the verdict, and what to do next."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from stages.files import PREPARED, RESULTS, read_dataset, read_table
from stages.report.markdown import difference, headline, mean_std, probability
from stages.settings import params
from stages.statistics.baseline import COLUMNS
from stages.statistics.metrics import metric_of

ENOUGH = 8  # images of a class in a fold, for the learning curve's first point
TEXT = ("variant", "baseline", "verdict", "outcome", "metric", "checks")


def of_comparison(hints: bool) -> str:
    """Return the summary of comparison.csv and, with `hints`, what to do next."""
    rows = read_rows(RESULTS / "comparison.csv")
    if not hints:
        return summary(rows)
    dataset = read_dataset(PREPARED)
    folds, counts = dataset["folds"], dataset["train"]["per_class"]
    trained = int(min(counts) * (1 - 1 / folds["count"]))
    own_data = Path(params.load().data.source).expanduser().exists()
    return f"{summary(rows)}\n{next_steps(rows, folds['repeats'], own_data, trained)}"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of comparison.csv; empty cells of the baseline are None."""
    rows: list[dict[str, Any]] = []
    for cells in read_table(path, COLUMNS):
        rows.append(cells | {key: _number(cells[key]) for key in set(COLUMNS) - set(TEXT)})
    return rows


def _number(cell: Any) -> float | None:
    """Convert a cell of a column that is text, as some of the baseline's cells are empty."""
    if isinstance(cell, str):
        return float(cell) if cell else None
    return cell


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table and the verdict for the rows of a Comparison."""
    best_first = sorted(rows, key=lambda row: -row["cv_mean"])
    metric = metric_of(best_first[0])
    table = [
        {
            "variant": row["variant"],
            f"{metric.column} (n = {row['n']})": mean_std(row),
            f"difference, {metric.unit} (95 %)": difference(row),
            "P(best)": probability(row["p_best"]),
            "Holm p": probability(row["p_holm"]),
            "verdict": row["outcome"],
        }
        for row in best_first
    ]
    (baseline,) = (row["variant"] for row in rows if row["outcome"] == "baseline")
    verdict = headline(best_first, baseline).replace("`", "")
    return f"\n{tabulate(table, 'keys', disable_numparse=True)}\n\n{verdict}{_warnings(best_first)}"


def _warnings(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line with the codes of warnings and the variants concerned; "" without any."""
    named: dict[str, list[str]] = {}
    for row in rows:
        for code in (row.get("checks") or "").split():
            named.setdefault(code, []).append(row["variant"])
    if not named:
        return ""
    listed = "; ".join(f"{code}: {', '.join(names)}" for code, names in named.items())
    return f"\nWarnings, explained in {RESULTS / 'comparison.md'}: {listed}."


def _may_be_settled(row: Mapping[str, Any]) -> bool:
    """Return whether the same difference could be significant with two repeats.

    The variance of the corrected resampled t test is proportional to 1 / n + 1 / (folds - 1).
    """
    folds = row["n"]
    ratio = (1 / (2 * folds) + 1 / (folds - 1)) / (1 / folds + 1 / (folds - 1))
    half = (row["ci_high"] - row["ci_low"]) / 2
    return bool(abs(row["difference"]) > math.sqrt(ratio) * half)


def next_steps(
    rows: Sequence[dict[str, Any]], repeats: int, own_data: bool = False, smallest: int = 1000
) -> str:
    """Return where the report is, and what to do next.

    `repeats` are those of the cross-validation; `own_data` means that the images are the user's;
    `smallest` is the number of images of the smallest class that each fold trains on.
    """
    steps = [("make ui", "look at the runs in MLflow")]
    undecided = [row for row in rows if row["outcome"] == "undecided"]
    if undecided:
        again = ("dvc exp run -S folds.repeats=2", "may settle more verdicts, in twice the time")
        more = ("make learning-curve", "estimate what more images would gain")
        too_few = ("docs/your_own_data.md", "see how many photos a verdict needs")
        may_settle = repeats == 1 and any(map(_may_be_settled, undecided))
        steps += [again if may_settle else more if smallest >= ENOUGH else too_few]
    elif len(rows) > 1:
        steps += [("python -m stages pairs", "test all pairs of variants")]
    if not own_data:
        steps += [("docs/your_own_data.md", "compare variants on your own photos")]
    return f"The report is {RESULTS / 'report.html'}. Next:\n{tabulate(steps, tablefmt='plain')}"
