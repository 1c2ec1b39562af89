"""Fixtures of all tests that publish: repositories with results and a store."""

import shutil

import pytest
from filelock import FileLock

from tests.tracking import kept
from tests.tracking.made_results import make_repository


@pytest.fixture(scope="session")
def empty_store(shared):
    """Return an SQLite file with MLflow's tables, which take seconds to create."""
    path, made = shared / "empty.db", shared / "empty.db.made"
    with FileLock(f"{path}.lock"):
        if not made.exists():
            from mlflow import MlflowClient

            import stages.tracking  # noqa: F401 - sets MLflow's environment before its import

            uri = f"sqlite:///{path}"
            MlflowClient(uri, registry_uri=uri).search_experiments()
            made.touch()
    return path


@pytest.fixture
def repository(tmp_path, empty_store, monkeypatch):
    """Enter a new repository with results of `basic` and an empty store; return it."""
    root = make_repository(tmp_path / "repository")
    shutil.copyfile(empty_store, root / "mlflow.db")
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="module")
def published_once(tmp_path_factory, empty_store):
    """Publish `basic` (version 1) and `other` (version 2), each of five folds."""
    from stages.publish import publish

    root = make_repository(tmp_path_factory.mktemp("published") / "root", "basic", "other", folds=5)
    with kept.made(root, empty_store):
        assert publish("basic")
        assert publish("other")
    return root


@pytest.fixture
def two_published(published_once, monkeypatch):
    """Enter the repository with two published variants, and return it."""
    monkeypatch.chdir(kept.put_back(published_once))
    return published_once
