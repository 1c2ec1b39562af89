"""What the tables of benchmarks share: Markdown, rates, and where a record was measured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MISSING = "not measured yet"
Records = Mapping[str, Mapping[str, Any]]


def table(columns: str, rule: str, rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; `columns` and `rule` are its first lines without outer bars."""
    return [f"| {columns} |", f"|{rule}|", *(f"| {' | '.join(cells)} |" for cells in rows)]


def rate(cell: Mapping[str, Any] | None) -> str:
    """Return a rate with its interval, in percent; "" for None."""
    if not cell:
        return ""
    return f"{100 * cell['rate']:.1f} ({100 * cell['low']:.1f}-{100 * cell['high']:.1f})"


def spread(score: Mapping[str, Any] | None) -> str:
    """Return a mean with its standard deviation and n, in percent; "" for None."""
    if not score:
        return ""
    return f"{100 * score['mean']:.2f} ± {100 * score['std']:.2f} (n = {score['n']})"


def machine(record: Mapping[str, Any]) -> str:
    """Return the processor and the commit that a record was measured with."""
    about = record["environment"]
    return f"{about['cores']} cores of {about['processor']}, {about['commit']}"
