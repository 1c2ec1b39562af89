"""One trial of a search: the settings tried, and the accuracies of its folds."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Trial(NamedTuple):
    """The settings tried, and the validation accuracy of each trained fold."""

    number: int  # from 0, over finished trials only
    values: dict[str, Any]  # dotted path inside the row -> value
    accuracies: list[float]  # fractions; of all folds, or of the first ones of a pruned trial
    state: str  # complete, pruned or failed
    reason: str  # why it failed, else ""
    start: int  # ms since 1970
    end: int  # ms since 1970

    @property
    def sha256(self) -> str:
        """The hash of the settings, accuracies and state."""
        content = self.values, self.accuracies, self.state
        return hashlib.sha256(repr(content).encode()).hexdigest()

    @property
    def mean(self) -> float:
        """The mean accuracy of the trained folds."""
        return float(np.mean(self.accuracies))

    @property
    def sd(self) -> float:
        """The sample standard deviation of the trained folds' accuracies; NaN for one fold."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else float("nan")

    def outcome(self) -> str:
        """Return a short description of the outcome."""
        if self.state == "failed":
            return f"failed: {self.reason}"
        pruned = f"pruned after {len(self.accuracies)} folds, " if self.state == "pruned" else ""
        return f"{pruned}{self.mean:.2%} (sd {self.sd:.2%}, n = {len(self.accuracies)} folds)"


def best(trials: Sequence[Trial]) -> Trial | None:
    """Return the complete trial with the highest mean; ties go to the earliest."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.mean, -trial.number), default=None)
