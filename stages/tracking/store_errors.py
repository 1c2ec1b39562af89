"""Raise one exception for failures of the MLflow store, as opposed to bugs."""

import os
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.errors import UserError
from stages.files import root
from stages.tracking import address

# Packages whose errors mean that the store, or the connection to it, failed.
CLIENTS = re.compile(
    r"(alembic|azure|boto3|botocore|google|http|mlflow|requests|s3transfer|sqlalchemy|sqlite3"
    r"|urllib3)\b"
)
OURS = ("results", "data", ".foldlab")  # folders that never belong to a store
STORES = ("mlflow.db", "mlartifacts", "mlruns")  # what a store has in the repository by default


class StoreError(UserError):
    """The store, or the connection to it, failed.

    `reason` tells why, without passwords. `remedy` is what the user must do about it, "" where the
    same call may succeed later.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        """Compose the message: the store's address, the reason and the remedy."""
        self.reason, self.remedy = reason, remedy
        sentence = f"MLflow at {address.shown()} failed: {reason}"
        super().__init__(f"{sentence}; {remedy}." if remedy else f"{sentence}.")


@contextmanager
def failures(given: bool = False) -> Iterator[None]:
    """Raise StoreError if the store or the connection to it fails; any other error is a bug.

    An argument that MLflow refuses is a bug too, unless `given`: the user chose the arguments.
    """
    try:
        yield
    except Exception as error:
        bug = not given and _is_wrong_argument(error)
        if isinstance(error, StoreError) or bug or not _is_failure(error):
            raise
        outdated = "db upgrade" in str(error)
        upgrade = f"run `mlflow db upgrade {address.shown()}` after a backup, then `make publish`"
        raise StoreError(_why(error), upgrade if outdated else "") from error


def _why(error: BaseException) -> str:
    """Return the root cause of an error as a short text without passwords."""
    while cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = cause
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return textwrap.shorten(address.redacted(lines[0]), 200, placeholder=" …").rstrip(". ")


def _is_wrong_argument(error: Exception) -> bool:
    """Return whether MLflow in this process, not a server, refused an argument: a bug of ours.

    If somebody has meanwhile deleted the run or the experiment, the error has the same code but is
    not a bug.
    """
    is_plain = type(error).__name__ == "MlflowException"  # subclasses are for servers and addresses
    wrong = getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE"
    return is_plain and wrong and "must be in the 'active' state" not in str(error)


def _is_failure(error: Exception) -> bool:
    if isinstance(error, ModuleNotFoundError):  # a missing database driver or storage client
        return (error.name or "").partition(".")[0] != "stages"
    if any(CLIENTS.match(kind.__module__) for kind in type(error).__mro__):
        return True
    return isinstance(error, OSError) and not _is_ours(error)


def _is_ours(error: OSError) -> bool:
    """Return whether an error is about one of our files, or not from the operating system."""
    where = error.filename2 or error.filename  # the target of a copy
    if not isinstance(where, str | bytes):
        return error.errno is None and not isinstance(error, ConnectionError | TimeoutError)
    path = Path(os.fsdecode(where)).absolute()
    for folder in (Path.cwd(), root().absolute()):
        if path.is_relative_to(folder):
            top = path.relative_to(folder).parts[0]
            missing = isinstance(error, FileNotFoundError) and not top.startswith(STORES)
            return missing or top in OURS
    return False
