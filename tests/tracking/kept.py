"""A repository that is published to once, and that each test of a module gets as it was then.

It is put back at its place: a sqlite store holds the absolute paths of its artifacts.
"""

import shutil
from contextlib import contextmanager

import pytest


@contextmanager
def made(root, empty_store):
    """Work in a repository with an empty store, and keep what is there in the end.

    MLflow keeps no connection to its database, whose file is replaced later.
    """
    shutil.copyfile(empty_store, root / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        patch.chdir(root)
        yield
    shutil.copytree(root, f"{root}-kept")


def put_back(root):
    """Return a repository with all its files as they were kept."""
    shutil.rmtree(root)
    return shutil.copytree(f"{root}-kept", root)
