import os
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs import ROOT
from stages.engine import fold_store, fold_tasks, identity
from stages.errors import UserError
from stages.files import read_json
from stages.search import study
from stages.search.trial import best
from stages.settings.sections import Parallel
from tests import prepared
from tests.search.studies import SPACE, TRIALS, accuracy, made_fold, searched, settings

pytestmark = pytest.mark.slow
MIXED = 10  # this many trials include every state


@pytest.fixture
def folder(folder, monkeypatch):
    monkeypatch.setattr(fold_tasks, "train_fold", made_fold)
    prepared.write(folder, folds=5)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        prepared.write(folder, folds=5)
        patch.setattr(fold_tasks, "train_fold", made_fold)
        return searched(settings(), TRIALS)


def test_the_first_trial_is_the_unchanged_row_and_the_others_differ(undisturbed):
    assert undisturbed[0].values == {
        "train.learning_rate": 0.003,
        "train.batch_size": 16,
        "architecture.dropout": 0.5,
    }
    assert [trial.number for trial in undisturbed] == list(range(TRIALS))
    assert len({str(trial.values) for trial in undisturbed}) == TRIALS
    assert best(undisturbed).mean > undisturbed[0].mean
    for trial in undisturbed[:3]:
        recipe = study.space.tuned_recipe(settings(), trial.values)
        assert trial.scores == [accuracy(recipe, n) for n in range(len(trial.scores))]


def test_an_error_of_the_machine_ends_the_search_and_counts_as_no_trial(
    folder, monkeypatch, undisturbed
):
    def no_cluster(*task):
        raise UserError("parallel.backend is ray, which is not installed")

    monkeypatch.setattr(fold_tasks, "train_fold", no_cluster)
    with pytest.raises(UserError, match="which is not installed"):
        searched(settings(), 2)
    monkeypatch.setattr(fold_tasks, "train_fold", made_fold)
    for trials in (2, 1):  # more trials may exist than are wanted
        assert searched(settings(), trials) == undisturbed[:2]


def test_a_trial_is_pruned_once_it_is_below_the_median_of_the_complete_ones(undisturbed):
    pruned = [trial for trial in undisturbed if trial.state == "pruned"]
    complete = [trial for trial in undisturbed if trial.state == "complete"]
    assert len(pruned) >= 2
    assert len(complete) >= 5
    for trial in undisturbed:
        before = [other for other in complete if other.number < trial.number]
        least = study.MIN_FOLDS if len(before) >= study.STARTUP else 5
        for folds in range(least, min(len(trial.scores), 4) + 1):
            median = np.median([np.mean(other.scores[:folds]) for other in before])
            below = np.mean(trial.scores[:folds]) < median
            assert below == (trial.state == "pruned" and folds == len(trial.scores))
    assert {len(trial.scores) for trial in complete} == {5}


def test_a_trial_that_diverges_fails_with_its_reason_and_the_search_goes_on(undisturbed):
    (failed, *_) = [trial for trial in undisturbed if trial.state == "failed"]
    assert failed.values["train.learning_rate"] > 0.5
    assert "basic_tuned fold 1 diverged" in failed.reason
    assert len(failed.scores) == 1
    assert undisturbed[-1].number > failed.number


def test_a_trial_of_invalid_settings_fails_with_its_reason_and_the_search_goes_on(folder):
    """A range of many whole numbers is checked at its limits only, so a trial may be invalid."""
    space = {"shrink": {"low": 1, "high": 200, "step": 1}}
    found = searched(settings(space=space), 4)
    assert [trial.state for trial in found] == ["complete", "failed", "failed", "failed"]
    assert all("shrink" in trial.reason for trial in found[1:])
    assert searched(settings(space=space), 5)[:4] == found


def test_a_search_ends_when_all_settings_have_been_tried(folder):
    found = searched(settings(space={"train.batch_size": {"choices": [8, 16, 32]}}), 9)
    assert sorted(trial.values["train.batch_size"] for trial in found) == [8, 16, 32]
    assert len(list(folder.glob(".foldlab/folds/*/complete"))) == 3


def test_results_do_not_depend_on_the_number_of_workers(undisturbed, folder, monkeypatch):
    """Folds after the one that prunes or fails a trial may be trained, but do not count."""
    monkeypatch.setattr(fold_tasks, "_train", lambda report, head, rows, *task: made_fold(*task))
    assert {trial.state for trial in undisturbed[:MIXED]} == {"complete", "pruned", "failed"}
    assert searched(settings(jobs=2), MIXED) == undisturbed[:MIXED]


@pytest.mark.parametrize(
    ("parallel", "at_once"),
    [({"jobs": 2}, 2), ({"backend": "ray"}, 5), ({"backend": "ray", "jobs": 3}, 3)],
)
def test_as_many_folds_are_trained_at_once_as_there_are_workers(
    folder, monkeypatch, parallel, at_once
):
    """A cluster gets all folds of a trial at once, whatever the number of local cores."""
    asked = []

    def run_folds(tasks, arrays, parallel, keep_bar):
        asked.append(len(tasks))
        for task in tasks:
            fold_store.save(task.fingerprint, task.fold, made_fold(*task.arguments(arrays)))

    monkeypatch.setattr(fold_tasks, "run_folds", run_folds)
    searched(settings().model_copy(update={"parallel": Parallel(**parallel)}), 1)
    assert max(asked) == asked[0] == at_once


def test_a_killed_search_loses_no_finished_fold(undisturbed, folder, monkeypatch):
    program = (
        "from tests.search import studies as made; from stages.engine import fold_tasks;"
        "fold_tasks.train_fold = made.made_fold; made.searched(made.settings(), made.TRIALS)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SECONDS_A_FOLD": "0.05"}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as process:
        while len(kept := set(folder.glob(".foldlab/folds/*/*.npz"))) < 8:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    trained = []
    monkeypatch.setattr(
        fold_tasks, "train_fold", lambda *task: trained.append(task[4:6]) or made_fold(*task)
    )
    assert searched(settings(), TRIALS) == undisturbed
    data = read_json(Path("data/prepared/dataset.json"))["sha256"]
    again = {
        fold_store.folder(identity.fingerprint(recipe, data)) / f"fold-{fold}.npz"
        for recipe, fold in trained
    }
    assert again.isdisjoint(kept)


def test_one_process_at_a_time_has_a_study(folder):
    with study.opened(settings(), "data"), pytest.raises(UserError):
        study.opened(settings(), "data").__enter__()


def test_a_study_is_identified_by_its_row_its_space_and_its_data(folder):
    own = study.fingerprint(settings(), "data")
    assert own == study.fingerprint(settings(trials=99, jobs=4), "data")
    others = [
        study.fingerprint(settings(), "other data"),
        study.fingerprint(settings(seed=2), "data"),
        study.fingerprint(settings(space={"train.epochs": {"choices": [1, 2]}}), "data"),
    ]
    assert len({own, *others}) == 4


def test_another_seed_tries_other_values(undisturbed, folder):
    first, second = searched(settings(seed=2), 2)
    assert first == undisturbed[0]
    assert second.values != undisturbed[1].values


def test_a_metric_that_a_fold_does_not_define_is_an_error_of_the_user(folder):
    labels = np.load("data/prepared/train_labels.npy")
    np.save("data/prepared/train_labels.npy", np.zeros_like(labels))  # of one class in each fold
    chosen = settings()
    compare = chosen.compare.model_copy(update={"metric": "roc_auc"})
    with pytest.raises(UserError, match=r"roc_auc.*folds\.seed"):
        searched(chosen.model_copy(update={"compare": compare}), 1)


def test_trials_are_scored_by_the_metric_of_the_comparison():
    labels = np.array([0, 0, 0, 1, 1, 1])
    record = prepared.record([0.5], 1)._replace(
        validation=np.array([0, 1, 2, 3]), probability=np.eye(2, dtype="f4")[[0, 0, 0, 0]]
    )
    assert study._score(record, labels, "accuracy") == 0.5  # of the history
    assert study._score(record, labels, "balanced_accuracy") == 0.5
    assert study._score(record, labels, "macro_f1") == pytest.approx(6 / 7 / 2)
    chosen = prepared.parse(search={"space": SPACE})
    names = {
        study.fingerprint(
            chosen.model_copy(
                update={"compare": chosen.compare.model_copy(update={"metric": one})}
            ),
            "ab",
        )
        for one in ("accuracy", "macro_f1")
    }
    assert len(names) == 2
