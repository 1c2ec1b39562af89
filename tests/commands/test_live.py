"""Real trainings with the real tracking command beside them; the store is read from outside."""

import shutil
import time
from pathlib import Path

import pytest

from stages import publish
from stages.commands import live
from stages.tracking.store_errors import StoreError
from tests.tracking import training
from tests.tracking.made_results import everything, without_ids
from tests.tracking.training import statuses, wait_for

pytestmark = pytest.mark.slow


BOTH = {"basic fold 0": "FINISHED", "basic fold 1": "FINISHED"}


def test_the_runs_appear_as_they_come_and_publishing_completes_them(repository, empty_store):
    process = training.start()
    wait_for({"basic": "RUNNING"})
    training.go(0)
    wait_for({"basic": "RUNNING", "basic fold 0": "FINISHED"})
    training.go(1)
    wait_for({"basic": "SCHEDULED", **BOTH})
    assert process.wait() == 0
    assert process.stderr.read() == ""
    ids = {row["run_uuid"] for row in everything(repository)["runs"]}

    assert publish.publish("basic")
    assert statuses() == {"basic": "FINISHED", **BOTH}
    assert {row["run_uuid"] for row in everything(repository)["runs"]} == ids
    assert not list(Path(".foldlab/runs").iterdir())
    shown = without_ids(repository)

    # and an emptied store is rebuilt to the same rows, from files alone
    shutil.rmtree("mlartifacts")
    shutil.copyfile(empty_store, repository / "mlflow.db")
    assert publish.publish("basic")
    assert without_ids(repository) == shown


def test_a_killed_training_fails_at_once_and_goes_on_later(repository):
    process = training.start()
    training.go(0)
    wait_for({"basic": "RUNNING", "basic fold 0": "FINISHED"})
    process.kill()
    wait_for({"basic": "FAILED", "basic fold 0": "FINISHED"})
    assert process.wait() != 0

    process = training.start()  # the same run goes on
    wait_for({"basic": "RUNNING", "basic fold 0": "FINISHED"})
    training.go(1)
    wait_for({"basic": "SCHEDULED", **BOTH})
    assert process.wait() == 0


def test_a_short_training_starts_no_tracker(repository):
    training.go(0, 1)
    process = training.start(600)
    assert process.wait() == 0
    process.stderr.read()  # ends when the command beside it has ended
    assert statuses() == {}
    assert "began" in Path("results/basic/timing.csv").read_text()


def test_a_failing_store_is_reported_once_and_tried_again(monkeypatch, capsys):
    tried = []

    def refuse(experiment, folds, word):
        tried.append(word)
        raise StoreError("refused")

    def last_word(seconds):
        time.sleep(seconds)
        return b"done" if time.monotonic() > end else None

    end = time.monotonic() + 0.5
    monkeypatch.setattr(live, "_log", refuse)
    monkeypatch.setattr(live, "_last_word", last_word)
    monkeypatch.setattr(live, "PAUSE", 0.1)
    monkeypatch.setattr(live, "POLL", 0.05)
    monkeypatch.setattr(live.signal, "alarm", lambda seconds: None)
    live.live(0, "foldlab", ["fingerprint"])
    assert 2 < len(tried) < 9
    assert tried[-1] == b"done"
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "refused; training continues" in printed
