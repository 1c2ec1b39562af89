"""One trial of a search, as its store has it: what was tried and how its folds scored."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Trial(NamedTuple):
    """Settings that were tried, and the validation accuracy of each fold that was trained."""

    number: int  # from 0; trials that a killed search left unfinished have none
    values: dict[str, Any]  # dotted path inside the row -> what it was set to
    accuracies: list[float]  # fractions; all folds of a complete trial, the first of a pruned one
    state: str  # complete, pruned or failed
    reason: str  # why it failed, else ""
    start: int  # ms since 1970
    end: int

    @property
    def sha256(self) -> str:
        """The hash of what was tried and how it scored: that of a trial to the same is the same."""
        scored = self.values, self.accuracies, self.state
        return hashlib.sha256(repr(scored).encode()).hexdigest()

    @property
    def mean(self) -> float:
        """The mean accuracy of the trained folds."""
        return float(np.mean(self.accuracies))

    @property
    def sd(self) -> float:
        """The sample standard deviation of the trained folds' accuracies; nan for one fold."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else float("nan")

    def outcome(self) -> str:
        """Say in a few words what came out."""
        if self.state == "failed":
            return f"failed: {self.reason}"
        after = f"pruned after {len(self.accuracies)} folds, " if self.state == "pruned" else ""
        return f"{after}{self.mean:.2%} (sd {self.sd:.2%}, n = {len(self.accuracies)} folds)"


def best(trials: Sequence[Trial]) -> Trial | None:
    """Return the complete trial of the highest mean, the earliest of equals; None without one."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: (trial.mean, -trial.number), default=None)
