"""The comparison that the reports format, from made results."""

import numpy as np
import pytest

from stages import files
from stages.report.comparison import compared
from stages.report.results import read
from tests.report import made


@pytest.fixture
def results(tmp_path):
    names = ["basic", "early", "twin"]
    made.make(tmp_path, names, classes=3, train=60, tests=30)
    path = tmp_path / "results" / "early" / "training.json"
    settings = {"ensemble": {"a": {"train": {}}, "b": {"train": {"early_stopping": {"x": 1}}}}}
    files.write_json(path, files.read_json(path) | {"settings": settings})
    found = {name: read(name, tmp_path / "results") for name in names}
    return found | {"twin": found["twin"]._replace(accuracy=found["basic"].accuracy)}


def test_rows_are_those_of_the_results_and_ranked_by_accuracy(results):
    dataset = {"folds": {"count": 5, "repeats": 1}, "test": {"images": 30}}
    found = compared(results, dataset, "basic", 0.01, 7)
    assert [row["variant"] for row in found.rows] == list(results)
    means = [row["cv_mean"] for row in found.best_first]
    assert means == sorted(means, reverse=True)
    for row in found.rows:
        result = results[row["variant"]]
        assert row["cv_mean"] == pytest.approx(np.mean(result.accuracy))
        assert row["test_accuracy"] == pytest.approx(result.test_correct.mean())
        assert row["parameters"] == result.metrics["parameters"]
    assert [row["on_validation"] for row in found.rows] == [[], ["early_stopping"], []]
    assert list(found.detectable) == ["early", "twin"]
    assert found.detectable["early"].effect > 0
    assert found.detectable["twin"] is None
    assert (found.folds, found.repeats, found.test_images, found.tested) == (5, 1, 30, True)
