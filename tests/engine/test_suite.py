"""Plans and stored scores of a suite; tests/commands/test_suite.py trains one."""

import numpy as np
import pytest

from stages.engine import fold_tasks, suite
from stages.errors import UserError
from stages.files import PREPARED, read_dataset, write_table
from stages.statistics.scores import SCORES
from tests import prepared

VARIANTS = {"plain": {"architecture": "logistic"}, "other": {"architecture": "majority"}}


@pytest.fixture
def dataset(folder):
    prepared.write(folder)
    return read_dataset(PREPARED)


def settings(**sections):
    compare = {"variants": ["plain", "other"], "baseline": "plain", "metric": "log_loss"}
    return prepared.parse(**{"variants": VARIANTS, "compare": compare} | sections)


def test_stored_scores_are_read_by_metric_without_training(dataset, monkeypatch):
    monkeypatch.setattr(fold_tasks, "run_folds", None)  # calling it would fail
    planned = suite.plans(settings(), dataset)
    for number, one in enumerate(planned):
        rows = [(fold, *(number + fold + np.arange(5) / 10)) for fold in range(2)]
        write_table(suite._path(one), ("fold", *SCORES), rows)
    found = suite.scores(planned, dataset, settings())
    place = [*SCORES].index("log_loss") / 10
    assert found["plain"] == pytest.approx(np.array([0, 1]) + place)
    assert found["other"] == pytest.approx(np.array([1, 2]) + place)

    write_table(
        suite._path(planned[1]),
        ("fold", *SCORES),
        [(0, 0.5, 0.5, 0.5, float("nan"), 0.5), (1, 0.5, 0.5, 0.5, -0.2, 0.5)],
    )
    with pytest.raises(UserError, match="'other' has a fold whose negative log loss"):
        suite.scores(planned, dataset, settings())


def test_scores_of_other_code_or_another_library_are_not_used(dataset, monkeypatch):
    (one, _) = suite.plans(settings(), dataset)
    paths = [suite._path(one)]
    for name, other in (("sha256", lambda path: path.name), ("versions", lambda names: names)):
        monkeypatch.setattr(suite.files if name == "sha256" else suite, name, other)
        paths.append(suite._path(one))
    assert len({*paths}) == 3
