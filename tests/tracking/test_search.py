import shutil

import pytest

from tests.tracking.logged import FINGERPRINT, TRIALS, cut_off, publish_search, runs_of
from tests.tracking.made_results import BEGAN, DATA_SHA256, everything, without_ids


def test_the_parent_shows_the_study_and_each_trial_is_a_run_below_it(repository):
    run_id = publish_search(TRIALS)
    (parent,) = runs_of(repository, "search").values()
    assert (parent["run"]["name"], parent["run"]["status"]) == ("search", "FINISHED")
    assert (parent["run"]["start_time"], parent["run"]["end_time"]) == (BEGAN, BEGAN + 35_000)
    assert parent["params"] == {"search.seed": "1"}
    own = {"variant": "basic", "fingerprint": FINGERPRINT, "data_sha256": DATA_SHA256}
    assert parent["tags"].items() >= own.items()
    assert "biased upward" in parent["tags"]["mlflow.note.content"]
    best = [parent["metrics"]["best_cv_accuracy_mean", trial][0] for trial in range(4)]
    assert best == pytest.approx([0.91, 0.91, 0.91, 0.94])
    assert parent["latest"]["best_trial"] == 3

    children = runs_of(repository, "trial")
    statuses = [children[f"trial {number}"]["run"]["status"] for number in range(4)]
    assert statuses == ["FINISHED", "FAILED", "KILLED", "FINISHED"]
    child, end = children["trial 3"], BEGAN + 35_000
    own |= {"mlflow.parentRunId": run_id, "foldlab.state": "complete"}
    assert child["tags"].items() >= own.items()
    assert (child["run"]["start_time"], child["run"]["end_time"]) == (end - 5000, end)
    dropout = "0.30000000000000004"
    assert child["params"] == {"train.batch_size": "16", "architecture.basic.dropout": dropout}
    assert child["metrics"] == {
        ("cv_accuracy", 0): (0.93, end),
        ("cv_accuracy", 1): (0.95, end),
        ("cv_accuracy_mean", 0): (pytest.approx(0.94), end),
        ("cv_accuracy_std", 0): (pytest.approx(0.02 / 2**0.5), end),
        ("cv_accuracy_n", 0): (2, end),
    }
    assert children["trial 1"]["metrics"] == {}
    assert children["trial 1"]["tags"]["mlflow.note.content"] == TRIALS[1].reason[:5000]
    pruned = {"cv_accuracy": 0.8, "cv_accuracy_mean": 0.8, "cv_accuracy_n": 1}
    assert children["trial 2"]["latest"] == pruned


def test_twice_changes_nothing_and_more_trials_only_add(repository):
    publish_search(TRIALS[:2])
    first = runs_of(repository, "trial")
    publish_search(TRIALS)
    before = everything(repository)
    publish_search(TRIALS)
    assert everything(repository) == before
    assert {name: runs_of(repository, "trial")[name] for name in first} == first


@pytest.mark.slow
def test_publishing_cut_off_after_each_write(repository, monkeypatch, empty_store):
    """Each attempt gets one write further; in the end the store is as if undisturbed."""
    publish_search(TRIALS)
    undisturbed = without_ids(repository)
    shutil.copyfile(empty_store, repository / "mlflow.db")
    cuts = cut_off(monkeypatch, lambda: publish_search(TRIALS), "log_batch")
    assert len(cuts) > 10
    assert without_ids(repository) == undisturbed
