"""A real `mlflow server`, and faults of servers, disks and databases: no result is lost."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from stages import publish as stage
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.command import status
from tests.pipeline.faults import disk
from tests.tracking import training
from tests.tracking.made_results import (
    PLOTS,
    everything,
    make_comparison,
    make_repository,
    without_ids,
)
from tests.tracking.served import Server
from tests.tracking.training import statuses

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_store):
    """Return a running server with an empty store."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(empty_store, folder / "mlflow.db")
    server = Server(folder)
    with server.stack:
        server.start()
        yield server


@pytest.fixture
def experiment(request):
    """Return the name of the test's own experiment on the server."""
    return "".join(letter for letter in request.node.name if letter.isalnum())


@pytest.fixture
def team(server, repository, monkeypatch, experiment):
    """Return the server, which is the store now; its address contains a password."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri.replace("//", "//me:hunter2@"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    make_repository(repository, "basic", "other")
    with (repository / "params.yaml").open("a") as file:
        file.write(f"\ntracking: {{experiment: {experiment}, model_name: {experiment}}}\n")
    return server


def runs(experiment):
    """Return {name: status, ...} and the ids of an experiment's runs."""
    with store.opened(Tracking(experiment=experiment)) as client:
        found = client.search_runs([client.experiment_id])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run.info.status for run in found}, {r.info.run_id for r in found}


FINISHED = dict.fromkeys(("basic", "basic fold 0", "basic fold 1"), "FINISHED")


def test_the_server_has_everything_once_and_no_password(team, experiment, monkeypatch, capfd):
    assert stage.publish("basic")
    once = everything(team.folder)
    assert stage.publish("basic")
    assert everything(team.folder) == once
    assert runs(experiment)[0] == FINISHED
    assert all(row["artifact_uri"].startswith("mlflow-artifacts:/") for row in once["runs"])
    assert sum(path.endswith(".png") for path in once["artifacts"]) == len(PLOTS)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "SECONDS", 0.1)
        assert not stage.publish("other")
        assert "not done after 0 s" in capfd.readouterr().err
        make_comparison(Path(), basic=0.9005, other=0.9105)  # the means of the made folds
        assert status("publish", "--all") == 0  # without a time limit
    assert runs(experiment)[0].items() >= {"other": "FINISHED", "comparison": "FINISHED"}.items()
    for path in (path for path in team.folder.rglob("*") if path.is_file()):
        assert b"hunter2" not in path.read_bytes(), path


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_hangs_in_mid_training(team, fault, experiment):
    training.go(0)
    process = training.start()
    shown = {"basic": "RUNNING", "basic fold 0": "FINISHED"}
    training.wait_for(shown, lambda: runs(experiment)[0])
    _, before = runs(experiment)
    os.killpg(team.process.pid, fault)
    training.go(1)
    assert process.wait(15) == 0  # training does not wait: the process beside it gives up after 20
    stderr = process.stderr.read()
    assert stderr.count("\n") == 1
    assert "could not show the training" in stderr
    recover(team, fault)
    assert stage.publish("basic")
    statuses, ids = runs(experiment)
    assert statuses == FINISHED
    assert before < ids


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_hangs_in_mid_publish(team, experiment, monkeypatch, capfd, fault):
    """A hanging server still completes the last request later, when no client waits for it."""

    class FaultyClient(store.Client):
        created = 0

        def __getattr__(self, name):
            FaultyClient.created += name == "create_run"
            if FaultyClient.created == 2:  # the parent's and now the first fold's
                os.killpg(team.process.pid, fault)
            return super().__getattr__(name)

    with monkeypatch.context() as patch:
        patch.setattr(store, "Client", FaultyClient)
        assert not stage.publish("basic")
    stderr = capfd.readouterr().err
    assert "publishing basic to MLflow at http://127.0.0.1" in stderr
    assert "hunter2" not in stderr
    assert Path("results/published/basic.json").is_file()
    assert stage.unpublished() == ["basic"]
    recover(team, fault)
    assert stage.publish("other")  # the next one that succeeds publishes it too
    assert stage.unpublished() == []
    assert runs(experiment)[0].items() >= FINISHED.items()


def recover(team, fault):
    if fault == signal.SIGSTOP:
        os.killpg(team.process.pid, signal.SIGCONT)
    else:
        team.process.wait()
        team.start()


def test_a_training_killed_with_its_tracker_fails_at_the_next_publishing(repository):
    make_repository(repository, "basic", "other")
    training.go(0)
    process = training.start()
    shown = {"basic": "RUNNING", "basic fold 0": "FINISHED"}
    training.wait_for(shown)
    beside = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in beside.read_text().split():
        os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait()
    assert statuses() == shown
    assert stage.publish("other")
    assert statuses()["basic"] == "FAILED"
    assert stage.publish("basic")
    assert statuses()["basic"] == "FINISHED"


def test_an_artifact_store_that_refuses(repository, capfd):
    Path("mlartifacts").write_text("a file where a folder belongs")
    assert not stage.publish("basic")
    assert "publishing basic to MLflow" in capfd.readouterr().err
    assert Path("results/published/basic.json").is_file()
    Path("mlartifacts").unlink()
    assert stage.publish("basic")
    assert statuses() == FINISHED


@pytest.fixture
def small_disk(tmp_path, empty_store, monkeypatch):
    """Return a folder on a small disk with an empty store, which is the store now."""
    with disk(tmp_path / "disk", "size=2500k") as folder:
        shutil.copyfile(empty_store, folder / "mlflow.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        yield folder


def test_a_disk_that_is_full(repository, small_disk, capfd):
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))
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
