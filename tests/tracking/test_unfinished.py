import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from stages.tracking import store
from tests.tracking.made_results import everything

NOTES = Path(".foldlab/runs")


@pytest.fixture
def unfinished(repository):
    from stages.tracking import unfinished

    return unfinished


@pytest.fixture
def begun(unfinished):
    """Return an opened store with a parent and two fold runs, one of them FINISHED."""
    with store.opened("foldlab") as (client, experiment_id):
        parent = client.create_run(experiment_id, run_name="parent").info.run_id
        for name in ("one", "two"):
            child = client.create_run(
                experiment_id, tags={"mlflow.parentRunId": parent}, run_name=name
            )
        client.set_terminated(child.info.run_id, "FINISHED")
        yield client, parent


def statuses():
    return {row["name"]: row["status"] for row in everything(Path())["runs"]}


ALIVE = {"parent": "RUNNING", "one": "RUNNING", "two": "FINISHED"}
DEAD = {"parent": "FAILED", "one": "FAILED", "two": "FINISHED"}


def hold(path, ready):
    with FileLock(path):
        ready.set()
        time.sleep(600)


def test_a_run_is_stale_when_its_process_is_killed(unfinished, begun):
    client, parent = begun
    lock = Path("training.lock")
    unfinished.note(parent, lock)
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=hold, args=(lock, ready))
    process.start()
    ready.wait()
    unfinished.fail_stale(client)
    assert statuses() == ALIVE
    process.kill()
    process.join()
    unfinished.fail_stale(client)
    assert statuses() == DEAD
    assert unfinished.is_noted(parent)  # a resumed training goes on with it


def test_a_publishing_that_was_killed_is_stale_at_once(unfinished, begun):
    client, parent = begun
    unfinished.note(parent)
    unfinished.fail_stale(client)
    assert statuses() == DEAD


def test_a_run_that_is_not_ours_is_never_touched(unfinished, begun, monkeypatch):
    client, parent = begun
    unfinished.fail_stale(client)
    assert statuses() == ALIVE
    with monkeypatch.context() as patch:  # noted for another store
        patch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@host:1")
        unfinished.note(parent)
    assert "hunter2" not in (NOTES / parent).read_text()
    unfinished.fail_stale(client)
    assert statuses() == ALIVE


def test_a_finished_run_is_struck_off(unfinished, begun):
    _, parent = begun
    unfinished.note(parent)
    unfinished.forget(parent)
    unfinished.forget(parent)
    assert not unfinished.is_noted(parent)


@pytest.mark.parametrize("note", ["", "{}", "[]", "torn"])
def test_a_torn_note_is_dropped(unfinished, begun, note):
    client, parent = begun
    NOTES.mkdir(parents=True)
    (NOTES / parent).write_text(note)
    unfinished.fail_stale(client)
    assert not unfinished.is_noted(parent)


def test_notes_of_runs_that_are_gone_and_old_ones_are_dropped(unfinished, begun):
    client, parent = begun
    unfinished.note("0" * 32)
    unfinished.note(parent)
    long_ago = time.time() - 8 * 86400
    os.utime(NOTES / parent, (long_ago, long_ago))
    unfinished.fail_stale(client)
    assert statuses() == DEAD
    assert list(NOTES.iterdir()) == []


def test_a_run_that_a_clock_set_back_begins_later_ends_no_earlier(unfinished, begun):
    client, _ = begun
    later = round(time.time() * 1000) + 3_600_000
    run = client.create_run("0", later, run_name="later")
    unfinished.note(run.info.run_id)
    unfinished.fail_stale(client)
    ended = client.get_run(run.info.run_id).info
    assert (ended.status, ended.end_time) == ("FAILED", later)


def test_a_run_in_the_bin_stays_there(unfinished, begun):
    client, parent = begun
    unfinished.note(parent)
    client.delete_run(parent)
    unfinished.fail_stale(client)
    assert statuses() == ALIVE


def test_a_checkout_that_moved_knows_its_runs(unfinished, begun, tmp_path, monkeypatch):
    _, parent = begun
    unfinished.note(parent, Path("training.lock"))
    content = json.loads((NOTES / parent).read_text())
    assert content == {"store": "mlflow.db", "lock": "training.lock"}
