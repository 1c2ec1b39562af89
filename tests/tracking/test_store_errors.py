"""Which errors mean that the MLflow store failed, and why it did."""

import socket
import sqlite3

import pytest
import sqlalchemy
from filelock import Timeout
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED

from stages.errors import UserError
from stages.tracking.store_errors import StoreError, failures


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("images"), False),
        (UserError("bug"), False),
        (ModuleNotFoundError("no", name="stages.trackin"), False),
        (FileNotFoundError(2, "no", "results/basic/folds.csv"), False),
        (PermissionError(13, "no", ".foldlab/runs/0"), False),
        (OSError("bug"), False),
        (FileNotFoundError(2, "no", "params.jsn"), False),
        (OSError(28, "full"), True),
        (TimeoutError(), True),
        (StoreError("deleted"), True),
        (MlflowException("no"), True),
        (MlflowException("no", PERMISSION_DENIED), True),
        (MlflowException("no", INVALID_PARAMETER_VALUE), False),
        (RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}), True),
        (sqlalchemy.exc.OperationalError("select", {}, None), True),
        (sqlite3.DatabaseError("no"), True),
        (ModuleNotFoundError("no", name="psycopg2"), True),
        (socket.gaierror(-2, "no"), True),
        (Timeout("lock"), True),
        (OSError(28, "full", "results/basic/folds.csv", None, "mlartifacts/0/folds.csv"), True),
        (NotADirectoryError(20, "no", "mlartifacts/0"), True),
    ],
    ids=repr,
)
def test_only_stores_and_networks_are_survived(error, expected):
    with pytest.raises(Exception) as raised, failures():
        raise error
    assert raised.type is (StoreError if expected else type(error))


def test_why_is_the_first_cause():
    def why(error):
        with pytest.raises(StoreError) as failed, failures():
            raise error
        return failed.value.reason

    error = MlflowException("at http://me:x@host: many words")
    error.__cause__ = OSError("[Errno 111] Connection refused.\nand more")
    assert why(error) == "[Errno 111] Connection refused"
    assert why(MlflowException("at http://me:secret@host")) == "at http://host"
    assert why(TimeoutError()) == "TimeoutError"
    long = why(TimeoutError("word " * 100))
    assert len(long) <= 200
    assert set(long.split()) == {"word", "…"}
