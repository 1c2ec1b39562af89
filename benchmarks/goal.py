"""A goal of a benchmark; goals.py lists them, and table.py shows them."""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

Record = Mapping[str, Any]


class Goal(NamedTuple):
    """One row of the table: a figure of a record, and what it should be."""

    what: str
    command: str  # of `python -m benchmarks.`, with options
    figure: str | Callable[[Record], float]  # keys joined by dots, or a function
    limit: str = ""  # such as "<= 240", or "" without a goal
    unit: str = ""  # with " %", the figure is a fraction
    record: str = ""  # by default the command's name
    holds: Callable[[Record], bool] = lambda record: True  # another condition of the goal

    def measured(self, record: Record) -> float:
        """Return the figure in its unit."""
        by_path = isinstance(self.figure, str)
        figure = reduce(getitem, self.figure.split("."), record) if by_path else self.figure(record)
        return 100 * figure if self.unit == " %" else figure

    def met(self, record: Record) -> bool:
        """Return whether a record reaches the goal, which has a limit."""
        sign, number = self.limit.split()
        figure, limit = self.measured(record), float(number)
        return (figure <= limit if sign == "<=" else figure >= limit) and self.holds(record)
