import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stages import publish as stage
from stages.tracking import marker
from tests.command import status
from tests.refusals import command_refusal, refusal
from tests.tracking import made_results
from tests.tracking.made_results import everything, fingerprint, make_repository, without_ids

CODE = Path(stage.__file__).parents[1]
MARKER = Path("results/published/basic.json")


@pytest.fixture
def dead(repository, monkeypatch):
    """Use a store's address where no server listens."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hunter2@{made_results.dead_address()}")


@pytest.mark.slow
def test_a_dead_server_costs_a_warning_and_nothing_else(dead, monkeypatch, capfd):
    assert status("publish", "basic") == 0
    stderr = capfd.readouterr().err
    assert stderr.count("\n") == 1
    assert "publishing basic to MLflow at http://127.0.0.1:" in stderr
    assert "Connection refused" in stderr
    assert "`make publish`" in stderr
    assert "hunter2" not in stderr
    assert json.loads(MARKER.read_text())["fingerprint"] == fingerprint("basic")
    assert stage.unpublished() == ["basic"]
    assert status("publish", "--all") == 1
    assert "publishing basic to MLflow" in capfd.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert status("publish", "--all") == 0
    assert stage.unpublished() == []


@pytest.mark.slow
def test_a_server_that_never_answers_and_one_that_refuses(repository, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # 501 for all methods
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        assert not stage.publish("basic")
        assert "timed out" in capfd.readouterr().err
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert not stage.publish("basic")
        server.shutdown()
    assert "501" in capfd.readouterr().err
    assert MARKER.is_file()


def test_a_store_of_an_older_mlflow_names_the_upgrade(repository, capfd):
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = '451aebb31d03'")
    assert not stage.publish("basic")
    stderr = capfd.readouterr().err
    assert f"run `mlflow db upgrade sqlite:///{repository}/mlflow.db` after a backup" in stderr
    assert stderr.count("\n") == 1


@pytest.mark.slow
def test_what_could_not_be_published_is_published_later(dead, repository, monkeypatch):
    assert not stage.publish("basic")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    make_repository(repository, "basic", "other")
    for folder in (".foldlab/runs", ".foldlab/unpublished", "results/basic/plots"):
        Path(folder).mkdir(parents=True, exist_ok=True)  # with what a killed writer left
        Path(folder, ".partial-0123").write_text('{"store": "mlflow.db", "lock": null}')
        Path(folder, ".partial-0123.png").touch()
        Path(folder, ".partial-folder").mkdir()
    path = Path("results/basic/training.json")
    content = path.read_text()
    path.unlink()
    assert stage.publish("other")
    assert stage.unpublished() == ["basic"]  # which cannot be read
    path.write_text(content)
    assert stage.publish("other")
    assert stage.unpublished() == []
    rows = everything(repository)
    assert {row["name"] for row in rows["runs"]} >= {"basic", "other"}
    assert not [name for name in rows["artifacts"] if ".partial-" in name]


def test_mistakes_are_refused_before_the_store_is_opened(repository):
    """The user's mistakes end the command before MLflow is imported."""
    assert "Did you mean 'basic'" in command_refusal("publish", "basik")
    assert "other/folds.csv is missing" in command_refusal("publish", "other")
    shutil.rmtree("results")
    assert "no variant has results" in command_refusal("publish", "--all")
    for name in marker.IN_GIT:  # as in a fresh clone
        Path("results/basic", name).parent.mkdir(parents=True, exist_ok=True)
        Path("results/basic", name).touch()
    assert "no variant has results" in command_refusal("publish", "--all")
    assert status("publish") == 2
    assert not Path("mlflow.db.lock").exists()


def test_all_publishes_what_it_can(repository, capfd):
    make_repository(repository, "basic", "other")
    path = Path("results/basic/training.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data_sha256": "0"}))
    assert status("publish", "--all") == 1
    assert "results/basic was trained on other data" in capfd.readouterr().err
    assert "other" in {row["name"] for row in everything(repository)["runs"]}
    assert not MARKER.exists()
    made_results.make_results(Path("results/basic"), "basic", 2, 2, better=0)
    Path("results/basic/plots/curves.png").unlink()
    assert status("publish", "--all") == 1
    assert "curves.png is missing; run `dvc repro plot@basic`." in capfd.readouterr().err


@pytest.mark.slow
def test_no_tensorflow_and_a_run_of_mlflow_run(repository):
    program = (
        "import sys; from stages import publish; assert 'mlflow' not in sys.modules;"
        "assert publish.publish('basic'); assert 'mlflow' in sys.modules;"
        "assert not {'tensorflow', 'keras', 'torch', 'sklearn'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CODE), "MLFLOW_RUN_ID": "0" * 32}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert len(everything(repository)["runs"]) == 3


@pytest.mark.slow
def test_processes_at_once_on_a_fresh_store(repository):
    """Two processes publish each variant; they are forks, so that MLflow is imported once."""
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
barrier = context.Barrier(6)
names = ["basic", "other", "third"] * 2
processes = [context.Process(target=one, args=(name, barrier)) for name in names]
for process in processes: process.start()
for process in processes: process.join()
sys.exit(sum(process.exitcode != 0 for process in processes))
"""
    environment = {**os.environ, "PYTHONPATH": str(CODE)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, stderr=subprocess.PIPE)
    assert done.stderr == b""
    rows = without_ids(repository)
    assert len(rows["runs"]) == 9
    assert len(rows["model_versions"]) == 3
    assert len(rows["metrics"]) == 3 * (11 + 4 * 2 + 2 * 14)  # scores, curves, folds


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


def test_an_experiment_leaves_notes_and_published_runs_alone(
    repository, tmp_path, monkeypatch, capfd
):
    """The results of a temporary experiment are not those that the notes are about."""
    assert stage.publish("basic")
    note = repository / ".foldlab/unpublished/other"
    note.parent.mkdir()
    note.touch()
    monkeypatch.chdir(make_repository(tmp_path / "experiment", "basic", "other"))
    monkeypatch.setenv("DVC_ROOT", str(repository))
    monkeypatch.setenv("DVC_EXP_NAME", "brave-otter")
    before = everything(repository)
    assert stage.publish("basic")
    assert everything(repository) == before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{made_results.dead_address()}")
    assert not stage.publish("basic")
    assert "`dvc exp apply brave-otter`, then `make publish`" in capfd.readouterr().err
    assert [*note.parent.iterdir()] == [note]


def test_a_bug_of_ours_is_raised(repository):
    path = Path("data/prepared/dataset.json")
    path.write_text(path.read_text().replace("images_sha256", "images"))
    with pytest.raises(KeyError, match="images_sha256"):
        stage.publish("basic")
    assert not MARKER.exists()
    assert stage.unpublished() == []


def test_an_invalid_address_costs_a_warning(repository, monkeypatch, capfd, tmp_path):
    from stages.tracking.model import fetch

    wrong = ("http://[", "htp://host", "nosuchdb://host/runs", "host:5000", "10.0.0.1:5000", "runs")
    for uri in (*wrong, "http://host:port"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert not stage.publish("basic"), uri
        stderr = capfd.readouterr().err
        assert stderr.count("\n") == 1
        assert ("correct MLFLOW_TRACKING_URI" in stderr) == (uri in wrong)
        if uri in wrong:
            assert "MLFLOW_TRACKING_URI" in refusal(fetch, "models:/foldlab/1", tmp_path)


def test_the_note_of_a_variant_without_a_row_is_kept(dead, repository, monkeypatch, capfd):
    make_repository(repository, "basic", "other")
    assert not stage.publish("other")
    path = Path("params.yaml")
    text = path.read_text()
    removed = text.replace("  other: {architecture: basic}\n", "", 1).replace("other, ", "")
    path.write_text(removed)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert stage.publish("basic")
    assert stage.publish_all()
    assert "foldlab: other was never published" in capfd.readouterr().err
    assert stage.unpublished() == ["other"]
    path.write_text(text)
    assert stage.publish("basic")
    assert stage.unpublished() == []
