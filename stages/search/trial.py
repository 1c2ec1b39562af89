"""One trial of a search: the settings tried, and the scores of its folds."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.statistics.metrics import METRICS


class Trial(NamedTuple):
    """The settings tried, and the validation score of each trained fold."""

    number: int  # from 0, over finished trials only
    values: dict[str, Any]  # dotted path inside the row -> value
    scores: list[float]  # by the metric; of all folds, or of the first ones of a pruned trial
    state: str  # complete, pruned or failed
    reason: str  # why it failed, else ""
    start: int  # ms since 1970
    end: int  # ms since 1970
    metric: str = "accuracy"  # of `stages.statistics.metrics.METRICS`

    @property
    def sha256(self) -> str:
        """The hash of the settings, scores and state."""
        content = self.values, self.scores, self.state
        return hashlib.sha256(repr(content).encode()).hexdigest()

    @property
    def mean(self) -> float:
        """The mean score of the trained folds."""
        return float(np.mean(self.scores))

    @property
    def sd(self) -> float:
        """The sample standard deviation of the trained folds' scores; NaN for one fold."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else float("nan")

    def outcome(self) -> str:
        """Return a short description of the outcome."""
        if self.state == "failed":
            return f"failed: {self.reason}"
        pruned = f"pruned after {len(self.scores)} folds, " if self.state == "pruned" else ""
        metric = METRICS[self.metric]
        mean, sd = (f"{metric.scale * one:.{metric.digits}f}" for one in (self.mean, self.sd))
        sign = metric.sign.strip()
        return f"{pruned}{mean}{sign} (sd {sd}{sign}, n = {len(self.scores)} folds)"


def best(trials: Sequence[Trial]) -> Trial | None:
    """Return the complete trial with the highest mean; ties go to the earliest."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.mean, -trial.number), default=None)
