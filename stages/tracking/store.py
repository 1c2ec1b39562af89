"""The MLflow store: its address, its lock, and a client with a deadline."""

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

from stages.errors import UserError
from stages.files import root

LOCK_SECONDS = 120  # how long to wait for other processes that publish
BUSY_SECONDS = 25  # how long to wait for a locked database
ARTIFACTS = "mlartifacts"  # the folder of artifacts, next to the sqlite file
# Packages whose errors mean that the store, or the connection to it, failed.
CLIENTS = re.compile(
    r"(alembic|azure|boto3|botocore|google|http|mlflow|requests|s3transfer|sqlalchemy|sqlite3"
    r"|urllib3)\b"
)
OURS = ("results", "data", ".foldlab")  # folders that never belong to a store
STORES = ("mlflow.db", "mlartifacts", "mlruns")  # what a store has in the repository by default
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
    # A saved view, under "Views" or at /#/experiments/1/runs?viewStateShareKey=variants, because
    # the default run table shows no metrics. The format is that of MLflow 3.17's web pages.
    "mlflow.sharedViewState.variants": json.dumps(
        {
            "name": "Variants",
            "createdAt": 0,
            "state": json.dumps({"selectedColumns": COLUMNS}),
        }
    ),
}


class StoreError(UserError):
    """A store that exists but cannot take runs; `publish` warns and goes on."""


def failed(error: Exception) -> bool:
    """Return whether the store or the connection to it failed, which tracking survives.

    Any other error, such as a KeyError or a missing result file, is a bug of ours.
    """
    if isinstance(error, ModuleNotFoundError):  # a missing database driver or storage client
        return (error.name or "").partition(".")[0] != "stages"
    if isinstance(error, StoreError):
        return True
    if any(CLIENTS.match(kind.__module__) for kind in type(error).__mro__):
        return True
    return isinstance(error, OSError) and not _is_ours(error)


def _is_ours(error: OSError) -> bool:
    """Return whether the system refused a file of ours, or this is no refusal of the system."""
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


def location() -> str:
    """Return the store's URI: MLFLOW_TRACKING_URI, else mlflow.db in the repository.

    A relative sqlite path is relative to the repository, because DVC deletes the working folder of
    a temporary experiment.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    path = database(uri)
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F") if path else uri


def database(uri: str) -> Path | None:
    """Return the absolute path of a sqlite store's file, or None for any other store."""
    if not uri.startswith("sqlite:///"):
        return None
    return root().absolute() / unquote(uri.removeprefix("sqlite:///").split("?")[0])


def safe(text: str) -> str:
    """Return `text` without user names and passwords."""
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
    """Return the root cause of an error as a short text without passwords."""
    while cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = cause
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return safe(lines[0])[:200].rstrip(". ")


@contextmanager
def opened(experiment: str, seconds: float | None = None) -> Iterator[tuple["Client", str]]:
    """Open the store and yield (client, experiment id), for one process per repository at a time.

    The lock keeps several processes from creating the same sqlite file, which would break it, or
    the same run.

    Args:
        experiment: the experiment's name; it is created if it does not exist.
        seconds: time limit for all calls over a network; None: no limit.

    Raises:
        TimeoutError: if the time is up or the lock is not free.
        StoreError: if the address is invalid, the experiment is deleted in the store, or the
            sqlite file was moved or copied here from another folder.
        sqlite3.Error: if the sqlite file is locked, damaged or read-only.
        mlflow.exceptions.MlflowException: if the store refuses a request.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)  # set by `mlflow run`; MLflow would reuse that run
    uri = location()
    try:
        path = database(uri)
        _import(uri)
    except ValueError as error:  # of urlsplit
        raise StoreError(f"MLFLOW_TRACKING_URI is not a valid address ({error})") from None
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3"):  # the caller reports an error, once
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_lock_path(path), timeout=LOCK_SECONDS):
        if path:
            _wait_for(path)
        client = Client(
            MlflowClient(uri, registry_uri=uri), seconds if _over_network(uri) else None
        )
        yield client, _experiment(client, experiment, uri, path)


class Client:
    """An MlflowClient that refuses calls after its deadline."""

    def __init__(self, client: object, seconds: float | None) -> None:
        """Wrap `client` with a deadline in `seconds` from now; None: no deadline."""
        self._client = client
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def __getattr__(self, name: str) -> Callable:
        """Return the client's method, with a check of the deadline before each call."""
        method = getattr(self._client, name)

        def call(*arguments: object, **named: object) -> object:
            if self._end is not None and time.monotonic() > self._end:
                raise TimeoutError(f"not done after {self._seconds:.0f} s")
            return method(*arguments, **named)

        return call


def _import(uri: str) -> None:
    """Import MLflow without garbage collection, which would take a fifth of the import's time.

    Imported objects are frozen afterwards, so that later collections skip them.
    """
    first = "mlflow" not in sys.modules
    gc.disable()
    try:
        import mlflow

        if not _over_network(uri):
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - MLflow would import it later
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
    """Wait until the sqlite file is writable; MLflow itself would retry for minutes."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _artifacts(path: Path | None) -> Path:
    return (path.parent if path else root().absolute()) / ARTIFACTS


def _experiment(client: Client, name: str, uri: str, path: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        # A server chooses its own artifact location. MLflow's default for a database is the
        # working folder; ours is next to the sqlite file.
        location = None if _over_network(uri) else _artifacts(path).as_uri()
        return client.create_experiment(name, location, tags=EXPERIMENT_TAGS)
    if found.lifecycle_stage != "active":
        raise StoreError(
            f"the experiment {name!r} is deleted there, restore it with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
        )
    if path:
        _check_folder(path, found.artifact_location)
    return found.experiment_id


def _check_folder(path: Path, artifact_location: str) -> None:
    """Refuse a sqlite file that was moved or copied: its artifacts are in its first folder.

    A location of another name, or one without a database next to it, was chosen on purpose.
    """
    folder = Path(unquote(urlsplit(artifact_location).path))
    if folder.name != ARTIFACTS or folder.parent.resolve() == path.parent.resolve():
        return
    if not folder.exists() or (folder.parent / path.name).exists():
        raise StoreError(
            f"{path.name} was moved or copied here: move it and {ARTIFACTS} away and run "
            f"`make publish` to rebuild both; its artifacts belong to {folder.parent}"
        )
