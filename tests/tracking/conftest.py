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
    shutil.copyfile(empty_store, folder / "mlflow.db")
    server = Server(folder)
    with server.stack:
        server.start()
        yield server


@pytest.fixture
def repository(tmp_path, monkeypatch):
    return made_results.enter(tmp_path, monkeypatch)
