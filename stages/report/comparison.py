"""The comparison of all chosen variants: computed once, formatted by the reports."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.report.results import Result
from stages.report.settings import on_validation
from stages.settings.sections import Compare
from stages.statistics.baseline import against_baseline, compared_with
from stages.statistics.best import ranks
from stages.statistics.metrics import METRICS, Metric
from stages.statistics.pairs import pairs
from stages.statistics.power import MinimumDetectable, minimum_detectable

MAX_SHOWN = 20  # variants with their own figures, and in the table of pairs


class Comparison(NamedTuple):
    """What the reports say about the chosen variants. Variants are in the order of params.yaml."""

    rows: list[dict[str, Any]]  # the columns of comparison.csv, and those that `compared` adds
    results: Mapping[str, Result]
    detectable: dict[str, MinimumDetectable | None]  # of each variant but the baseline
    baseline: str
    rope: float  # differences up to this count as none
    dataset: Mapping[str, Any]  # the content of dataset.json
    uses: int  # number of models that were scored on the test set
    metric: Metric  # by which variants are compared
    ignore: Sequence[str] = ()  # checks that are left out

    @property
    def best_first(self) -> list[dict[str, Any]]:
        """Return the rows by cross-validated score; ties keep the order of params.yaml."""
        return sorted(self.rows, key=lambda row: -row["cv_mean"])

    @property
    def names(self) -> list[str]:
        """Return the names of all variants, best first."""
        return [row["variant"] for row in self.best_first]

    @property
    def shown(self) -> list[str]:
        """Return the names of the best variants, MAX_SHOWN with the baseline, best first."""
        names = self.names
        if self.baseline in names[:MAX_SHOWN]:
            return names[:MAX_SHOWN]
        return [*names[: MAX_SHOWN - 1], self.baseline]

    @property
    def pairs(self) -> list[dict[str, Any]]:
        """Return the tests of all pairs of the variants shown; see `stages.statistics.pairs`."""
        return pairs(self._scores, self.folds, self.rope, self.rows[0]["metric"], self.fold_images)

    @property
    def ranks(self) -> np.ndarray:
        """Return the probability of each rank of the variants shown, as `statistics.best.ranks`."""
        return ranks(np.array(list(self._scores.values())), self.folds, self.fold_images)

    @property
    def _scores(self) -> dict[str, np.ndarray]:
        metric = self.rows[0]["metric"]
        return {name: self.results[name].scores[metric] for name in self.shown}

    @property
    def tested(self) -> bool:
        """Return whether there is a variant to test against the baseline."""
        return len(self.rows) > 1

    @property
    def folds(self) -> int:
        """Return the number of folds of one cross-validation."""
        return self.dataset["folds"]["count"]

    @property
    def fold_images(self) -> float:
        """Return the mean number of validation images of a fold."""
        return self.dataset["train"]["images"] / self.folds

    @property
    def repeats(self) -> int:
        """Return how often the cross-validation was repeated."""
        return self.dataset["folds"]["repeats"]

    @property
    def test_images(self) -> int:
        """Return the size of the test set."""
        return self.dataset["test"]["images"]


def compared(
    results: Mapping[str, Result], dataset: Mapping[str, Any], settings: Compare, uses: int
) -> Comparison:
    """Test each variant against the baseline; arguments as the fields of Comparison."""
    folds = dataset["folds"]["count"]
    baseline, rope = settings.baseline, settings.rope
    score = {name: result.scores[settings.metric] for name, result in results.items()}
    correct = {name: result.correct for name, result in results.items()}
    rows = against_baseline(score, correct, baseline, folds, rope, settings.metric)
    images = len(correct[baseline]) / folds
    differences, variances = compared_with(score, baseline, images)
    others = [name for name in results if name != baseline]
    n = differences.shape[1]
    detectable = {
        name: variance and minimum_detectable(variance, n, folds, rope)
        for name, variance in zip(others, variances, strict=True)
    }
    for row in rows:
        result = results[row["variant"]]
        row["test_accuracy"] = result.metrics["test"]["accuracy"]
        row["parameters"] = result.metrics["parameters"]
        row["on_validation"] = on_validation(result.training["settings"])
    metric = METRICS[settings.metric]
    return Comparison(
        rows, results, detectable, baseline, rope, dataset, uses, metric, settings.ignore
    )
