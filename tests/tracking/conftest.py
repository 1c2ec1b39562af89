import shutil

import pytest

from tests.tracking import made_results
from tests.tracking.served import Server


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    return made_results.empty_store(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def server(tmp_path_factory, empty_store):
    """Return a running server with an empty store."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(empty_store, folder / "server.db")
    server = Server(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def repository(tmp_path, monkeypatch, empty_store):
    """Return a folder with results of `basic` and an empty store; it is the working folder."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = made_results.make_repository(tmp_path / "repository")
    shutil.copyfile(empty_store, root / "mlflow.db")
    monkeypatch.chdir(root)
    return root
