"""What the reports add to the rows of the tests; tests/test_compare.py has the rows."""

import pytest

from stages import files
from stages.report.comparison import compared
from stages.report.results import read
from stages.settings.sections import Compare
from tests.report import made


def test_rows_are_ranked_and_say_what_chose_epochs_and_what_the_folds_can_detect(tmp_path):
    names = ["basic", "early", "twin"]
    made.make(tmp_path, names, classes=3, train=60, tests=30)
    path = tmp_path / "results" / "early" / "training.json"
    settings = {"ensemble": {"a": {"train": {}}, "b": {"train": {"early_stopping": {"x": 1}}}}}
    files.write_json(path, files.read_json(path) | {"settings": settings})
    results = {name: read(name, tmp_path / "results") for name in names}
    results["twin"] = results["twin"]._replace(scores=results["basic"].scores)
    dataset = files.read_json(tmp_path / "data" / "prepared" / "dataset.json")
    found = compared(results, dataset, Compare(variants=[*names], baseline="basic", rope=0.01), 7)
    assert [row["variant"] for row in found.rows] == names
    means = [row["cv_mean"] for row in found.best_first]
    assert means == sorted(means, reverse=True)
    for row in found.rows:
        assert row["test_accuracy"] == pytest.approx(results[row["variant"]].test_correct.mean())
    assert [row["on_validation"] for row in found.rows] == [[], ["early_stopping"], []]
    assert list(found.detectable) == ["early", "twin"]
    assert found.detectable["early"].effect > 0
    assert found.detectable["twin"] is None
