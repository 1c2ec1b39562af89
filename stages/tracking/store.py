"""Where runs go: the store's address, its lock, and a client that gives up in time."""

import gc
import json
import logging
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from stages.entry import root
from stages.errors import UserError
from stages.tracking import moved

LOCK_SECONDS = 120  # how long to wait for other processes that publish
BUSY_SECONDS = 25  # how long a locked database is waited for
# Packages whose own errors mean that a store, or the way to it, has failed.
CLIENTS = re.compile(
    r"(alembic|azure|boto3|botocore|google|http|mlflow|requests|s3transfer|sqlalchemy|sqlite3"
    r"|urllib3)\b"
)
OURS = ("results", "data", ".foldlab")  # folders of which no file is a store's
COLUMNS = (
    "attributes.`Description`",
    "tags.`foldlab.verdict`",
    "metrics.`cv_accuracy_mean`",
    "metrics.`cv_accuracy_std`",
    "metrics.`cv_accuracy_n`",
    "metrics.`test_accuracy`",
    "metrics.`parameters`",
    "metrics.`fit_seconds`",
)
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    # A saved view, under "Views" or at /#/experiments/1/runs?viewStateShareKey=variants: the run
    # table by itself shows no metric. The form is what the pages of MLflow 3.17 save.
    "mlflow.sharedViewState.variants": json.dumps(
        {
            "name": "Variants",
            "createdAt": 0,
            "state": json.dumps({"selectedColumns": COLUMNS}),
        }
    ),
}


class StoreError(UserError):
    """A store that is there and cannot take runs; publishing survives it."""


def failed(error: Exception) -> bool:
    """Return whether a store or the way to it has failed: what tracking survives.

    Everything else, such as a KeyError or a file of ours that is not there, is no store's fault.
    """
    if isinstance(error, ModuleNotFoundError):  # the driver of a database, the client of a disk
        return (error.name or "").partition(".")[0] != "stages"
    if isinstance(error, OSError):
        where = error.filename2 or error.filename  # of a copy the target
        path = Path(os.fsdecode(where)).absolute() if isinstance(where, str | bytes) else None
        ours = [folder.absolute() / name for folder in (Path(), root()) for name in OURS]
        return path is None or not any(path.is_relative_to(folder) for folder in ours)
    if isinstance(error, StoreError):
        return True
    return any(CLIENTS.match(kind.__module__) for kind in type(error).__mro__)


def location() -> str:
    """Return the store's URI: MLFLOW_TRACKING_URI, else mlflow.db in the repository.

    A relative sqlite path is taken from the repository's folder, because the working folder of a
    temporary DVC experiment is deleted with what is in it.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    path = database(uri)
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F") if path else uri


def database(uri: str) -> Path | None:
    """Return the absolute path of a sqlite store's file, None for any other store."""
    if not uri.startswith("sqlite:///"):
        return None
    return root().absolute() / unquote(uri.removeprefix("sqlite:///").split("?")[0])


def safe(text: str) -> str:
    """Return `text` without the user names and passwords of the URIs in it."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    try:
        password = urlsplit(uri).password or ""
    except ValueError:
        password = ""
    secrets = {password, unquote(password)}
    secrets |= {os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN")}
    text = re.sub(r"://\S*@", "://", text)
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def why(error: BaseException) -> str:
    """Return the first cause of an error in a few words that may be printed."""
    while cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = cause
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return safe(lines[0])[:200].rstrip(". ")


@contextmanager
def opened(experiment: str, seconds: float | None = None) -> Iterator[tuple["Client", str]]:
    """Open the store and yield (client, experiment id), one process of a repository at a time.

    The lock covers the first use of a sqlite file, which several processes at once would leave
    unusable, and keeps two processes from creating the same run.

    Args:
        experiment: the experiment's name; it is created when there is none.
        seconds: how long a store that is reached over a network may take in all; None: any time.

    Raises:
        TimeoutError: when the time is up or the lock is not free.
        StoreError: when the address is none, or the experiment is deleted there.
        sqlite3.Error: when the sqlite file is locked, damaged or read-only.
        mlflow.exceptions.MlflowException: whatever the store refuses.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)  # set by `mlflow run`; it would stand for our runs
    uri = location()
    try:
        path = database(uri)
        _import(uri)
    except ValueError as error:  # of urlsplit
        raise StoreError(f"MLFLOW_TRACKING_URI is no address ({error})") from None
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3"):  # what fails is told once, by the caller
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_lock_path(path), timeout=LOCK_SECONDS):
        if path:
            _wait_for(path)
            moved.follow(path, _artifacts(path))
        client = Client(
            MlflowClient(uri, registry_uri=uri), seconds if _over_network(uri) else None
        )
        yield client, _experiment(client, experiment, uri, path)


class Client:
    """An MlflowClient whose calls are refused once its time is up."""

    def __init__(self, client: object, seconds: float | None) -> None:
        """Wrap `client` for `seconds` from now; None: without end."""
        self._client = client
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def __getattr__(self, name: str) -> Callable:
        """Return the client's method, which first looks at the clock."""
        method = getattr(self._client, name)

        def call(*arguments: object, **named: object) -> object:
            if self._end is not None and time.monotonic() > self._end:
                raise TimeoutError(f"not done after {self._seconds:.0f} s")
            return method(*arguments, **named)

        return call


def _import(uri: str) -> None:
    """Import MLflow without garbage collection, which takes a fifth of the import's seconds.

    What is imported stays, so later collections need not look at it again and again.
    """
    first = "mlflow" not in sys.modules
    gc.disable()
    try:
        import mlflow

        if not _over_network(uri):
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - or MLflow imports it later
    finally:
        gc.enable()
        if first:
            gc.freeze()


def _over_network(uri: str) -> bool:
    return urlsplit(uri).scheme in ("http", "https", "databricks")


def _lock_path(path: Path | None) -> Path:
    if path:
        return path.with_name(path.name + ".lock")
    folder = root() / ".foldlab"
    folder.mkdir(exist_ok=True)
    return folder / "tracking.lock"


def _wait_for(path: Path) -> None:
    """Wait until the sqlite file can be written; MLflow itself would try for minutes."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _artifacts(path: Path | None) -> Path:
    return (path.parent if path else root().absolute()) / "mlartifacts"


def _experiment(client: Client, name: str, uri: str, path: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        # A server knows where its artifacts go. Without one they lie beside the sqlite file;
        # MLflow's own default is the working folder.
        location = None if _over_network(uri) else _artifacts(path).as_uri()
        return client.create_experiment(name, location, tags=EXPERIMENT_TAGS)
    if found.lifecycle_stage != "active":
        raise StoreError(
            f"the experiment {name!r} is deleted there, restore it with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
        )
    return found.experiment_id
