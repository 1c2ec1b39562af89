import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest
from mlflow.exceptions import MlflowException

from stages import publish
from stages.settings.sections import Tracking
from stages.tracking import store
from stages.tracking.store_errors import StoreError
from tests.tracking.made_results import everything

CODE = Path(store.__file__).parents[2]


@pytest.mark.slow
def test_pickle_is_off_before_mlflow_is_imported():
    """`dvc repro` and `mlflow run` start the commands with the user's environment."""
    name = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
    modules = "stages.publish, stages.commands.champion, stages.commands.promote"
    code = (
        f"import sys, {modules}; assert 'mlflow' not in sys.modules;"
        "import stages.tracking.model, mlflow.environment_variables as read;"
        f"print(read.{name}.get())"
    )
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    environment["PYTHONPATH"] = str(CODE)
    done = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert done == "False\n"


def test_a_client_gives_up_when_its_time_is_up():
    assert store.Client("text", None).upper() == "TEXT"
    client = store.Client("text", 0.05)
    assert client.replace("t", "T") == "TexT"
    time.sleep(0.06)
    with pytest.raises(TimeoutError):
        client.upper()


def test_the_store_is_the_repositorys_also_from_elsewhere(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(repository))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)  # set by `mlflow run`
    for _ in range(2):  # the experiment is created once
        with store.opened(Tracking()) as client:
            assert "MLFLOW_RUN_ID" not in os.environ
            experiment = client.get_experiment(client.experiment_id)
    assert client.experiment_id == "1"
    assert experiment.artifact_location == (repository / "mlartifacts").as_uri()
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_a_run_that_is_deleted_meanwhile_is_no_bug(repository):
    with store.opened(Tracking()) as client:
        run = client.create_run(client.experiment_id)
        client.delete_run(run.info.run_id)
    with pytest.raises(StoreError), store.opened(Tracking()) as client:
        client.set_tag(run.info.run_id, "key", "value")


def test_a_deleted_experiment_says_how_to_restore_it(repository):
    with store.opened(Tracking()) as client:
        client.delete_experiment(client.experiment_id)
    restore = rf"experiments restore --experiment-id {client.experiment_id}"
    with pytest.raises(StoreError, match=restore), store.opened(Tracking()):
        pass


@pytest.mark.parametrize("patience", [25, 0.1])
def test_a_locked_database_is_waited_for_but_not_too_long(repository, monkeypatch, patience):
    monkeypatch.setattr(store, "BUSY_SECONDS", patience)
    connection = sqlite3.connect("mlflow.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    freeing = threading.Timer(0.5, connection.close)
    freeing.start()
    too_long = pytest.raises(StoreError, match="locked") if patience < 1 else nullcontext()
    with too_long, store.opened(Tracking()) as client:
        assert client.experiment_id
    freeing.join()


@pytest.mark.slow
def test_a_new_store_is_created_whole_or_not_at_all(folder, monkeypatch):
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as broken:
        broken.setattr("mlflow.store.db.utils._upgrade_db", Mock(side_effect=full))
        with pytest.raises(StoreError, match="No space"), store.opened(Tracking()):
            pass  # the first tables were made
    assert not Path("mlflow.db").exists()
    with store.opened(Tracking()) as client:
        assert client.experiment_id == "1"
    assert sorted(path.name for path in folder.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


@pytest.mark.slow
@pytest.mark.parametrize("original_stays", [True, False])
def test_a_moved_or_copied_database_is_refused_until_it_is_rebuilt(
    repository, tmp_path, monkeypatch, original_stays
):
    assert publish.publish("basic")
    before = everything(repository)
    here = tmp_path / "elsewhere" / "ä b#c%41"
    (shutil.copytree if original_stays else shutil.move)(repository, here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("DVC_ROOT", str(here))
    with pytest.raises(StoreError, match="make publish"), store.opened(Tracking()):
        pass
    assert not publish.publish_all()
    assert original_stays is repository.exists()
    assert not original_stays or everything(repository) == before
    Path("mlflow.db").rename("old.db")
    Path("mlartifacts").rename("old")
    # in a separate process, because MLflow's client keeps a database open
    command = [sys.executable, "-m", "stages", "publish", "--all"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(CODE)}, check=True)
    assert all(row["artifact_uri"].startswith(here.as_uri()) for row in everything(here)["runs"])
    assert len(everything(here)["artifacts"]) == len(before["artifacts"])


@pytest.mark.parametrize("place", ["shared", "other/mlartifacts"])
def test_artifacts_may_be_elsewhere_on_purpose(repository, tmp_path, monkeypatch, place):
    folder = tmp_path / place
    folder.mkdir(parents=True)
    create("other", folder)
    with store.opened(Tracking(experiment="other")) as client:
        experiment = client.get_experiment(client.experiment_id)
        assert experiment.artifact_location == folder.as_uri()
    here = tmp_path / "moved"
    repository.rename(here)
    monkeypatch.chdir(here)
    for _ in range(2):
        with store.opened(Tracking(experiment="other")) as client:
            pass


def create(name, folder):
    """Create an experiment as MLflow itself does."""
    with store.opened(Tracking()) as client:
        client.create_experiment(name, folder.as_uri() if isinstance(folder, Path) else folder)


@pytest.mark.parametrize(
    ("place", "used", "deed"),
    [
        ("shared", True, "copy"),
        ("repository/mlruns/2", False, "copy"),
        ("repository/mlruns/2", False, "move"),
        ("repository/mlruns/2", True, "lose the original's database"),
        ("repository/mlartifacts", True, "lose the original's database"),
        ("link/mlartifacts", False, "copy"),
        ("repository/mlartifacts", True, "copy the file beside it"),
    ],
)
def test_a_copy_never_writes_where_the_original_does(
    repository, tmp_path, monkeypatch, place, used, deed
):
    """`used`: Foldlab has opened the experiment before and recorded where its file is."""
    Path("../link").symlink_to(repository)
    create("other", tmp_path / place)
    if used:
        with store.opened(Tracking(experiment="other")):
            pass
    here = tmp_path / "copy"
    if deed == "copy the file beside it":
        shutil.copy("mlflow.db", "copy.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///copy.db")
    else:
        (shutil.move if deed == "move" else shutil.copytree)(repository, here)
        if deed.startswith("lose"):
            (tmp_path / place).mkdir(parents=True)
            (repository / "mlflow.db").unlink()
        monkeypatch.chdir(here)
    refused = pytest.raises(StoreError, match="moved or copied")
    with refused, store.opened(Tracking(experiment="other")):
        pass


def test_an_experiment_of_mlflow_s_pages_is_refused_by_name(repository):
    create("other", "mlflow-artifacts:/2")
    refused = pytest.raises(StoreError, match=r"tracking\.experiment")
    with refused, store.opened(Tracking(experiment="other")):
        pass


def test_a_malformed_query_is_a_bug_and_not_a_failing_store(repository):
    with pytest.raises(MlflowException, match="foo"), store.opened(Tracking()) as client:
        client.search_runs([client.experiment_id], "foo = 'bar'")


@pytest.mark.parametrize("uri", ["oracle://host/runs", "mysql+a+b://host/runs", "ftp://host"])
def test_an_address_that_mlflow_refuses_is_the_user_s(repository, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreError), store.opened(Tracking()):
        pass
