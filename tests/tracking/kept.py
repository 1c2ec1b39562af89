"""A repository that is published once, and restored for each test of a module.

It is restored at the same path, because an SQLite store has the absolute paths of its artifacts.
"""

import shutil
from contextlib import contextmanager

import pytest


@contextmanager
def made(root, empty_store):
    """Work in a repository with an empty store, and keep a copy of its final state.

    MLflow must not keep a connection to its database, because the file is replaced later.
    """
    shutil.copyfile(empty_store, root / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        patch.chdir(root)
        yield
    shutil.copytree(root, f"{root}-kept")


def put_back(root):
    """Restore a repository with all its files, and return it."""
    shutil.rmtree(root)
    return shutil.copytree(f"{root}-kept", root)
