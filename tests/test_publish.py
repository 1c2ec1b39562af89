import errno
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stages import publish as stage
from tests.command import status
from tests.tracking.made_results import (
    empty_store,
    everything,
    fingerprint,
    make_repository,
    without_ids,
)

CODE = Path(stage.__file__).parents[1]
MARKER = Path("results/published/basic.json")


@pytest.fixture
def repository(tmp_path, monkeypatch, tmp_path_factory):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = make_repository(tmp_path / "repository")
    shutil.copyfile(empty_store(tmp_path_factory.getbasetemp()), root / "mlflow.db")
    monkeypatch.chdir(root)
    monkeypatch.setattr(stage, "QUICK", 0)
    return root


@pytest.fixture
def dead(repository, monkeypatch):
    """Let the server's address be one where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hunter2@127.0.0.1:{port}")


def run(*arguments, **environment):
    """Run the stage's command in the working folder."""
    return run_in(Path(), *arguments, **environment)


def run_in(folder, *arguments, **environment):
    command = [sys.executable, "-m", "stages", "publish", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(CODE), **environment}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def test_a_dead_server_costs_a_warning_and_nothing_else(dead):
    began = time.monotonic()
    process = run("basic")
    _, stderr = process.communicate()
    assert process.returncode == 0
    assert time.monotonic() - began < 30
    assert stderr.count("\n") == 1
    assert "publishing basic to MLflow at http://127.0.0.1:" in stderr
    assert "Connection refused" in stderr
    assert "`make publish`" in stderr
    assert "hunter2" not in stderr
    assert json.loads(MARKER.read_text())["fingerprint"] == fingerprint("basic")
    assert stage.unpublished() == ["basic"]


def test_all_tells_by_its_status(dead, monkeypatch, capfd):
    assert status("publish", "--all") == 1
    assert "publishing basic to MLflow" in capfd.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert status("publish", "--all") == 0
    assert stage.unpublished() == []
    assert MARKER.is_file()


def test_a_server_that_never_answers(repository, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        began = time.monotonic()
        assert not stage.publish("basic")
    assert time.monotonic() - began < 10
    assert "timed out" in capfd.readouterr().err
    assert MARKER.is_file()


def test_a_server_that_refuses(repository, monkeypatch, capfd):
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(403)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    assert not stage.publish("basic")
    server.shutdown()
    server.server_close()
    assert "403" in capfd.readouterr().err
    assert MARKER.is_file()


def test_a_full_disk(repository, monkeypatch, capfd):
    from mlflow import MlflowClient

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", full)
        assert not stage.publish("basic")
    assert "No space left on device" in capfd.readouterr().err
    assert MARKER.is_file()
    assert stage.publish("basic")
    before = everything(repository)
    assert stage.publish("basic")
    assert everything(repository) == before


def test_a_store_of_an_older_mlflow_names_the_upgrade(repository, capfd):
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = '451aebb31d03'")
    assert not stage.publish("basic")
    stderr = capfd.readouterr().err
    assert f"run `mlflow db upgrade sqlite:///{repository}/mlflow.db` after a backup" in stderr
    assert stderr.count("\n") == 1


def test_a_store_that_fails_for_a_moment_is_asked_again(repository, monkeypatch, capfd):
    opened, failures = stage.store.opened, [ConnectionError("a moment")]

    def opened_at_last(*arguments):
        if failures:
            raise failures.pop()
        return opened(*arguments)

    monkeypatch.setattr(stage.store, "opened", opened_at_last)
    monkeypatch.setattr(stage, "QUICK", 60)
    monkeypatch.setattr(stage.time, "sleep", lambda seconds: None)
    assert stage.publish("basic")
    assert capfd.readouterr().err == ""


def test_what_was_left_is_taken_along(dead, repository, monkeypatch):
    assert not stage.publish("basic")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    make_repository(repository, "basic", "other")
    assert stage.publish("other")
    assert stage.unpublished() == []
    assert {row["name"] for row in everything(repository)["runs"]} >= {"basic", "other"}


def test_a_left_variant_that_cannot_be_read_disturbs_nobody(dead, repository, monkeypatch):
    assert not stage.publish("basic")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    make_repository(repository, "basic", "other")
    Path("results/basic/training.json").unlink()
    assert stage.publish("other")
    assert stage.unpublished() == ["basic"]


def test_what_no_server_is_asked_for(repository, monkeypatch, capfd):
    """The user's mistakes end the command before MLflow is imported."""
    assert "Did you mean 'basic'" in status("publish", "basik")
    assert "other/folds.csv is missing" in status("publish", "other")
    shutil.rmtree("results")
    assert "no variant has results" in status("publish", "--all")
    assert status("publish") == 2
    assert not Path("mlflow.db.lock").exists()


def test_all_passes_over_what_does_not_fit(repository, monkeypatch, capfd):
    make_repository(repository, "basic", "other")
    path = Path("results/basic/training.json")
    path.write_text(
        path.read_text()
        .replace("data_sha256", "data_sha256_")
        .replace("{", '{"data_sha256": "0", ', 1)
    )
    assert status("publish", "--all") == 1
    assert "trained on other data" in capfd.readouterr().err
    assert "other" in {row["name"] for row in everything(repository)["runs"]}
    assert not MARKER.exists()


def test_no_tensorflow_and_a_run_of_mlflow_run(repository):
    program = (
        "import sys; from stages import publish; assert 'mlflow' not in sys.modules;"
        "assert publish.publish('basic'); assert 'mlflow' in sys.modules;"
        "assert not {'tensorflow', 'keras', 'torch', 'sklearn'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CODE), "MLFLOW_RUN_ID": "0" * 32}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert len(everything(repository)["runs"]) == 3


def test_ten_processes_at_once_on_a_fresh_store(repository):
    """Each variant is published by three or four; they are forks to import MLflow once."""
    make_repository(repository, "basic", "other", "third")
    Path("mlflow.db").unlink()
    program = """
import multiprocessing, sys
import stages.tracking
import mlflow.store.tracking.sqlalchemy_store
from stages.publish import publish

def one(name, barrier):
    barrier.wait()
    sys.exit(0 if publish(name) else 1)

context = multiprocessing.get_context("fork")
barrier = context.Barrier(10)
names = ["basic", "other", "third"] * 3 + ["basic"]
processes = [context.Process(target=one, args=(name, barrier)) for name in names]
for process in processes: process.start()
for process in processes: process.join()
sys.exit(sum(process.exitcode != 0 for process in processes))
"""
    environment = {**os.environ, "PYTHONPATH": str(CODE)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = without_ids(repository)
    assert len(rows["runs"]) == 9
    assert len(rows["model_versions"]) == 3
    assert len(rows["metrics"]) == 3 * (11 + 2 * 14)


def test_an_experiment_in_a_temporary_folder_reaches_the_repositorys_store(
    repository, tmp_path, monkeypatch
):
    elsewhere = make_repository(tmp_path / "experiment")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DVC_ROOT", str(repository))
    monkeypatch.setenv("DVC_EXP_NAME", "brave-otter")
    assert stage.publish("basic")
    shutil.rmtree(elsewhere)
    rows = everything(repository)
    assert len(rows["runs"]) == 3
    assert any(path.endswith("curves.png") for path in rows["artifacts"])
    names = [row["value"] for row in rows["tags"] if row["key"] == "DVC_EXP_NAME"]
    assert names == ["brave-otter"] * 3
    monkeypatch.chdir(repository)


def test_a_bug_of_ours_keeps_its_traceback_and_fails_the_stage(repository):
    path = Path("data/prepared/dataset.json")
    path.write_text(path.read_text().replace("images_sha256", "images"))
    process = run("basic")
    _, stderr = process.communicate()
    assert process.returncode == 1
    assert "Traceback" in stderr
    assert stderr.endswith("KeyError: 'images_sha256'\n")
    assert not MARKER.exists()
    assert stage.unpublished() == []


def test_an_address_that_is_none_costs_a_warning(repository, monkeypatch, capfd):
    for uri in ("http://[", "http://host:port", "htp://host", "nosuchdb://host/runs"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert not stage.publish("basic"), uri
        assert capfd.readouterr().err.count("\n") == 1


def test_what_a_killed_writer_left_disturbs_no_publishing(dead, monkeypatch):
    assert not stage.publish("basic")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for folder in (".foldlab/runs", ".foldlab/unpublished", "results/basic/plots"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, ".partial-0123").write_text('{"store": "mlflow.db", "lock": null}')
        Path(folder, ".partial-0123.png").touch()
        Path(folder, ".partial-folder").mkdir()
    assert stage.unpublished() == ["basic"]
    assert stage.publish("basic")
    assert stage.unpublished() == []
    assert not [name for name in everything(Path())["artifacts"] if ".partial-" in name]


@pytest.mark.parametrize("reached", [True, False])
def test_what_is_noted_of_a_removed_variant_goes_with_one_line(
    dead, repository, monkeypatch, capfd, reached
):
    make_repository(repository, "basic", "other")
    assert not stage.publish("other")
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("  other: {architecture: basic}\n", "", 1))
    path.write_text(path.read_text().replace("other, ", ""))
    if reached:
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
    capfd.readouterr()
    assert stage.publish("basic") is reached
    assert "other" not in stage.unpublished()
    lines = capfd.readouterr().err.splitlines()
    assert ["other: no longer in params.yaml" in line for line in lines].count(True) == 1
    stage.publish("basic")
    assert "other" not in capfd.readouterr().err


def test_a_temporary_experiment_without_a_row_leaves_its_notes(dead, tmp_path, repository):
    assert not stage.publish("basic")
    elsewhere = make_repository(tmp_path / "experiment", "third")
    path = elsewhere / "params.yaml"
    path.write_text(path.read_text().replace("basic:", "basis:").replace("[basic", "[basis"))
    path.write_text(path.read_text().replace("baseline: basic", "baseline: basis"))
    process = run_in(elsewhere, "third", DVC_ROOT=str(repository))
    assert process.wait() == 0
    assert "no longer in params.yaml" not in process.stderr.read()
    assert stage.unpublished() == ["basic", "third"]
