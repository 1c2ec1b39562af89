"""Metrics by which variants can be compared.

More is better, so the log loss is negated, as in scikit-learn's `neg_log_loss`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """How a metric is written; `stages.statistics.scores` computes it."""

    label: str  # in tables and figures
    scale: int = 100  # factor between a value and the number that is written
    digits: int = 2  # decimals that are written
    unit: str = "points"  # of differences
    sign: str = " %"  # suffix of values
    best: int = 1  # the highest possible value

    @property
    def title(self) -> str:
        """Return the label with a capital first letter; abbreviations stay as they are."""
        return self.label[0].upper() + self.label[1:]

    @property
    def column(self) -> str:
        """Return the name of a column of values."""
        return f"CV {self.label}{',' if self.sign else ''}{self.sign}"

    def mean_std(self, mean: float, std: float) -> str:
        """Return a score with its standard deviation: `98.55 ± 0.40`."""
        form = f"z.{self.digits}f"
        return f"{self.scale * mean:{form}} ± {self.scale * std:{form}}"

    def difference(self, centre: float, low: float, high: float) -> str:
        """Return a difference with its interval: `+1.33 (0.64 to 2.01)`."""
        form = f"z.{self.digits}f"
        centre, low, high = (self.scale * value for value in (centre, low, high))
        return f"{centre:+{form}} ({low:{form}} to {high:{form}})"

    def amount(self, value: float) -> str:
        """Return the size of a difference with its unit: `0.05 points`, `1 point`."""
        size = f"{self.scale * value:g}"
        return f"{size} {self.unit.removesuffix('s') if size == '1' else self.unit}"


METRICS = {
    "accuracy": Metric("accuracy"),
    "balanced_accuracy": Metric("balanced accuracy"),
    "macro_f1": Metric("macro F1"),
    "log_loss": Metric("negative log loss", scale=1, digits=4, unit="nats", sign="", best=0),
    "roc_auc": Metric("ROC AUC"),
}


def metric_of(row: Mapping[str, Any]) -> Metric:
    """Return the metric of a row of comparison.csv; accuracy if the row names none."""
    return METRICS[row.get("metric") or "accuracy"]
