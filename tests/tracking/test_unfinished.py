import json
import os
import shutil
import time
from pathlib import Path

import pytest
from filelock import FileLock

from stages.settings.sections import Tracking
from stages.tracking import store
from tests.tracking.training import statuses

NOTES = Path(".foldlab/runs")


@pytest.fixture
def unfinished(repository):
    from stages.tracking import unfinished

    return unfinished


@pytest.fixture
def begun(unfinished):
    """Return an opened store with a parent and two fold runs, one of them FINISHED."""
    with store.opened(Tracking()) as client:
        parent = client.create_run("0", run_name="parent").info.run_id
        for name in ("one", "two"):
            tags = {"mlflow.parentRunId": parent, "foldlab.kind": "fold"}
            child = client.create_run("0", tags=tags, run_name=name)
        client.set_terminated(child.info.run_id, "FINISHED")
        yield client, parent


ALIVE = {"parent": "RUNNING", "one": "RUNNING", "two": "FINISHED"}
DEAD = {"parent": "FAILED", "one": "FAILED", "two": "FINISHED"}


def test_a_run_is_stale_when_no_process_holds_its_lock(unfinished, begun):
    client, parent = begun
    unfinished.end_stale(client)
    assert statuses() == ALIVE  # a run that is not noted is another machine's
    unfinished.note(parent, "basic", Path("training.lock"))
    content = json.loads((NOTES / parent).read_text())  # relative, since a checkout may move
    own = {"store": "mlflow.db", "variant": "basic", "lock": "training.lock"}
    assert content == {**own, "folder": str(Path.cwd())}
    with FileLock("training.lock"):
        unfinished.end_stale(client)
        assert statuses() == ALIVE
    unfinished.end_stale(client)
    assert statuses() == DEAD
    assert unfinished.is_ours(parent)  # a resumed training goes on with it
    unfinished.note("0" * 32, "basic")  # a run that the store does not have
    age(parent)
    unfinished.end_stale(client)
    assert list(NOTES.iterdir()) == []


def test_a_note_that_came_with_a_copied_folder_is_ignored(
    unfinished, repository, empty_store, monkeypatch, tmp_path
):
    """The original keeps training, and holds a lock that the copy does not have."""
    shutil.copyfile(empty_store, tmp_path / "team.db")  # the store of both
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team.db")
    with store.opened(Tracking()) as client:
        run_id = client.create_run("0").info.run_id
        unfinished.note(run_id, "basic", Path("training.lock"))
        monkeypatch.chdir(shutil.copytree(repository, tmp_path / "copy"))
        unfinished.end_stale(client)
        assert not unfinished.is_ours(run_id)
        assert client.get_run(run_id).info.status == "RUNNING"
        monkeypatch.chdir(repository.rename(tmp_path / "moved"))
        unfinished.end_stale(client)
        assert client.get_run(run_id).info.status == "FAILED"


def test_a_run_of_another_store_or_in_the_bin_is_never_touched(unfinished, begun, monkeypatch):
    client, parent = begun
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@host:1")
        unfinished.note(parent, "basic")
    assert "hunter2" not in (NOTES / parent).read_text()
    unfinished.end_stale(client)
    assert statuses() == ALIVE
    unfinished.note(parent, "basic")
    client.delete_run(parent)
    unfinished.end_stale(client)
    assert statuses() == ALIVE


def age(run_id):
    long_ago = time.time() - 8 * 86400
    os.utime(NOTES / run_id, (long_ago, long_ago))


def scheduled(client, unfinished, variant, start, lock=None, experiment_id="0"):
    """Begin a run that is trained and not published, and return its id."""
    run_id = client.create_run(experiment_id, start, {"variant": variant}, str(start)).info.run_id
    unfinished.note(run_id, variant, lock)
    client.update_run(run_id, "SCHEDULED")
    return run_id


def test_a_run_that_nobody_publishes_for_a_week_is_given_up(unfinished, begun):
    client, _ = begun
    run_id = scheduled(client, unfinished, "basic", 1)
    unfinished.end_stale(client)
    assert statuses()["1"] == "SCHEDULED"
    age(run_id)
    unfinished.end_stale(client)
    assert statuses()["1"] == "KILLED"
    assert not unfinished.is_ours(run_id)


def test_only_older_runs_of_the_same_variant_and_experiment_end(unfinished, begun):
    """Not one that is being trained, or that is not noted and so of another checkout."""
    client, _ = begun
    elsewhere = client.create_experiment("elsewhere")
    scheduled(client, unfinished, "basic", 1)
    client.update_run(scheduled(client, unfinished, "basic", 2), "RUNNING")
    newer = scheduled(client, unfinished, "basic", 10)
    scheduled(client, unfinished, "basic", 11)
    scheduled(client, unfinished, "other", 3)
    scheduled(client, unfinished, "basic", 4, experiment_id=elsewhere)
    scheduled(client, unfinished, "basic", 5, Path("training.lock"))
    unfinished.forget(scheduled(client, unfinished, "basic", 6))
    with FileLock("training.lock"):
        unfinished.end_older(client, client.get_run(newer))
    found = statuses()
    assert (found["1"], found["2"]) == ("KILLED", "KILLED")
    assert {found[name] for name in ("10", "11", "3", "4", "5", "6")} == {"SCHEDULED"}


def test_a_note_that_another_process_removes_is_skipped(unfinished, begun, monkeypatch):
    monkeypatch.setattr(unfinished, "listed", lambda folder: [folder / "removed"])
    unfinished.end_stale(begun[0])
    assert statuses() == ALIVE


def test_a_run_that_a_clock_set_back_begins_later_ends_no_earlier(unfinished, begun):
    client, _ = begun
    later = round(time.time() * 1000) + 3_600_000
    run = client.create_run("0", later, run_name="later")
    unfinished.note(run.info.run_id, "basic")
    unfinished.end_stale(client)
    ended = client.get_run(run.info.run_id).info
    assert (ended.status, ended.end_time) == ("FAILED", later)
