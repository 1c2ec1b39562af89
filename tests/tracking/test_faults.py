"""Faults of real servers, disks and databases: none costs a result, and all is caught up."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from stages import publish as stage
from stages.tracking import store
from tests.tracking import training
from tests.tracking.made_results import make_repository, without_ids

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def experiment(request):
    """Return the name of the test's own experiment on the server."""
    return "".join(letter for letter in request.node.name if letter.isalnum())


@pytest.fixture
def team(server, repository, monkeypatch, experiment):
    """Return the server, which is the store now."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setattr(stage, "QUICK", 0)
    text = (repository / "params.yaml").read_text()
    (repository / "params.yaml").write_text(
        f"{text}\ntracking: {{experiment: {experiment}, model_name: {experiment}}}\n"
    )
    return server


def runs(experiment):
    """Return {name: status, ...} and the ids of an experiment's runs."""
    with store.opened(experiment) as (client, experiment_id):
        found = client.search_runs([experiment_id])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run.info.status for run in found}, {r.info.run_id for r in found}


FINISHED = dict.fromkeys(("basic", "basic fold 0", "basic fold 1"), "FINISHED")


def wait_for(look, wanted, seconds=60):
    end = time.monotonic() + seconds
    while (seen := look()) != wanted:
        assert time.monotonic() < end, seen
        time.sleep(0.1)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_hangs_in_mid_training(team, fault, experiment):
    training.go(0)
    process = training.start()
    shown = {"basic": "RUNNING", "basic fold 0": "FINISHED"}
    wait_for(lambda: runs(experiment)[0], shown)
    _, before = runs(experiment)
    os.killpg(team.process.pid, fault)
    training.go(1)
    assert process.wait(15) == 0  # training does not wait: the process beside it gives up after 20
    stderr = process.stderr.read()
    assert stderr.count("\n") == 1
    assert "could not show the training" in stderr
    if fault == signal.SIGSTOP:
        os.killpg(team.process.pid, signal.SIGCONT)
    else:
        assert not stage.publish("basic")
        team.process.wait()
        team.start()
    assert stage.publish("basic")
    statuses, ids = runs(experiment)
    assert statuses == FINISHED
    assert before < ids


def test_a_server_killed_in_mid_publish(team, experiment, monkeypatch):
    class KillingClient(store.Client):
        created = 0

        def __getattr__(self, name):
            method = super().__getattr__(name)
            KillingClient.created += name == "create_run"
            if KillingClient.created == 2 and name == "create_run":

                def call(*given, **named):
                    result = method(*given, **named)
                    os.killpg(team.process.pid, signal.SIGKILL)
                    return result

                return call
            return method

    with monkeypatch.context() as patch:
        patch.setattr(store, "Client", KillingClient)
        assert not stage.publish("basic")
    team.process.wait()
    team.start()
    assert stage.publish("basic")
    assert runs(experiment)[0] == FINISHED
    assert stage.unpublished() == []


def statuses(root=Path()):
    with closing(sqlite3.connect(root / "mlflow.db", timeout=60)) as connection:
        return dict(connection.execute("select name, status from runs"))


def test_a_training_and_its_watcher_killed_together_are_swept_at_the_next_start(repository):
    make_repository(repository, "basic", "other")
    training.go(0)
    process = training.start()
    shown = {"basic": "RUNNING", "basic fold 0": "FINISHED"}
    wait_for(statuses, shown)
    beside = f"/proc/{process.pid}/task/{process.pid}/children"
    for child in Path(beside).read_text().split():
        os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait()
    assert statuses() == shown
    assert stage.publish("other")
    assert statuses()["basic"] == "FAILED"
    assert stage.publish("basic")
    assert statuses()["basic"] == "FINISHED"


def test_a_database_that_another_program_has_locked(repository):
    """A training ends while it is locked; a publishing waits until it is free."""
    locker = subprocess.Popen(
        [sys.executable, "-c", LOCK, "mlflow.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert locker.stdout.readline() == "locked\n"
    training.go(0, 1)
    assert training.start().wait() == 0
    assert locker.poll() is None
    freeing = threading.Timer(2, locker.stdin.close)
    freeing.start()
    assert stage.publish("basic")
    assert freeing.finished.is_set()
    assert locker.wait() == 0
    assert statuses() == FINISHED


def test_an_artifact_store_that_refuses(repository, capfd, monkeypatch):
    monkeypatch.setattr(stage, "QUICK", 0)
    Path("mlartifacts").write_text("a file where a folder belongs")
    assert not stage.publish("basic")
    assert "publishing basic to MLflow" in capfd.readouterr().err
    assert Path("results/published/basic.json").is_file()
    Path("mlartifacts").unlink()
    assert stage.publish("basic")
    assert statuses() == FINISHED


@pytest.fixture
def small_disk(tmp_path, empty_store, monkeypatch):
    """Return a folder on a disk of 2 MB with an empty store, which is the store now."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full(repository, small_disk, monkeypatch, capfd):
    monkeypatch.setattr(stage, "QUICK", 0)
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    training.go(0, 1)
    process = training.start()
    assert process.wait() == 0
    process.stderr.read()
    assert not stage.publish("basic")
    assert "full" in capfd.readouterr().err
    (small_disk / "filler").unlink()
    assert stage.publish("basic")
    assert statuses(small_disk) == FINISHED
    once = without_ids(small_disk)
    assert stage.publish("basic")
    assert without_ids(small_disk) == once
