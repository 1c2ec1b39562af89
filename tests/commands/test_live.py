"""Real trainings with the real command beside them; the store is looked at from outside."""

import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from stages import publish
from stages.commands import live
from tests.tracking import training
from tests.tracking.made_results import empty_store, everything, make_repository, without_ids


@pytest.fixture
def empty(tmp_path_factory):
    return empty_store(tmp_path_factory.getbasetemp())


@pytest.fixture
def repository(tmp_path, monkeypatch, empty):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = make_repository(tmp_path / "repository")
    shutil.copyfile(empty, root / "mlflow.db")
    monkeypatch.chdir(root)
    return root


def statuses(root=Path()):
    with closing(sqlite3.connect(root / "mlflow.db")) as store:
        return dict(store.execute("select name, status from runs"))


def wait_for(wanted, seconds=60):
    """Wait until the runs have these statuses."""
    end = time.monotonic() + seconds
    while (seen := statuses()) != wanted:
        assert time.monotonic() < end, seen
        time.sleep(0.05)


def test_the_runs_appear_as_they_come_and_publishing_completes_them(repository, empty):
    process = training.start()
    wait_for({"basic": "RUNNING"})
    training.go(0)
    wait_for({"basic": "RUNNING", "basic fold 0": "FINISHED"})
    training.go(1)
    both = {"basic fold 0": "FINISHED", "basic fold 1": "FINISHED"}
    wait_for({"basic": "SCHEDULED", **both})
    assert process.wait() == 0
    assert process.stderr.read() == ""
    ids = {row["run_uuid"] for row in everything(repository)["runs"]}

    assert publish.publish("basic")
    assert statuses() == {"basic": "FINISHED", **both}
    assert {row["run_uuid"] for row in everything(repository)["runs"]} == ids
    assert not list(Path(".foldlab/runs").iterdir())
    shown = without_ids(repository)

    # and an emptied store is rebuilt to the same rows, from files alone
    shutil.rmtree("mlartifacts")
    shutil.copyfile(empty, "mlflow.db")
    assert publish.publish("basic")
    assert without_ids(repository) == shown


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_training_fails_at_once_and_goes_on_later(repository, number):
    process = training.start()
    training.go(0)
    wait_for({"basic": "RUNNING", "basic fold 0": "FINISHED"})
    process.send_signal(number)
    wait_for({"basic": "FAILED", "basic fold 0": "FINISHED"})
    assert process.wait() != 0

    process = training.start()  # the same run goes on
    wait_for({"basic": "RUNNING", "basic fold 0": "FINISHED"})
    training.go(1)
    wait_for({"basic": "SCHEDULED", "basic fold 0": "FINISHED", "basic fold 1": "FINISHED"})
    assert process.wait() == 0


def test_a_short_training_starts_no_tracker(repository):
    training.go(0, 1)
    process = training.start(600)
    assert process.wait() == 0
    process.stderr.read()  # ends when the command beside it has ended
    assert statuses() == {}
    assert "began" in Path("results/basic/timing.csv").read_text()


def test_a_store_that_fails_is_printed_once_and_asked_again(repository, monkeypatch, capsys):
    asked = []

    def refuse(*given):
        asked.append(given)
        raise ConnectionError("refused")

    monkeypatch.setattr(live, "_log", refuse)
    monkeypatch.setattr(live, "_listen", lambda received, over: (time.sleep(0.5), over.set()))
    monkeypatch.setattr(live, "PAUSE", 0.1)
    monkeypatch.setattr(live, "POLL", 0.05)
    monkeypatch.setattr(live, "_exit_late", lambda: None)
    live.live(0, "foldlab", ["mark"])
    assert 2 < len(asked) < 9
    assert asked[-1][2] is True
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "refused; training goes on" in printed
