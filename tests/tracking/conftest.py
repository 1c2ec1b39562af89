import shutil

import pytest

from tests.tracking import made_results


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    return made_results.empty_store(tmp_path_factory.getbasetemp())


@pytest.fixture
def repository(tmp_path, monkeypatch, empty_store):
    """Return a folder with results of `basic` and an empty store; it is the working folder."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = made_results.make_repository(tmp_path / "repository")
    shutil.copyfile(empty_store, root / "mlflow.db")
    monkeypatch.chdir(root)
    return root
