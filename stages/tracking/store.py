"""The MLflow store: its lock, its experiment, and a client with a deadline."""

import gc
import glob
import math
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from stages.files import root
from stages.settings.sections import Tracking
from stages.tracking import address, view
from stages.tracking.store_errors import StoreError, failures

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_SECONDS = 120  # how long to wait for other processes that publish
BUSY_SECONDS = 25  # how long to wait for a locked database
ARTIFACTS = "mlartifacts"  # the folder of artifacts, next to the sqlite file
DATABASE = "foldlab.database"  # tag of an experiment in a sqlite file: this file's path
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    view.TAG: view.VIEW,
}


@contextmanager
def opened(tracking: Tracking, seconds: float | None = None) -> Iterator["Client"]:
    """Open the store and yield its client, for one process per repository at a time.

    The lock keeps several processes from creating the same sqlite file, which would break it, or
    the same run. An experiment that does not exist is created. `seconds` is the time limit for all
    calls over a network; None: no limit.

    Raises:
        StoreError: if the address is invalid, the time is up, the lock or the database is in use,
            the experiment is deleted in the store, the sqlite file was moved or copied here, or the
            store refuses a request, including those in the block.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)  # set by `mlflow run`; MLflow would reuse that run
    uri = address.uri()
    path = address.database(uri)
    network = _scheme(uri) in ("http", "https", "databricks")
    with ExitStack() as held:
        with failures(given=True):
            gc.disable()  # saves a sixth of the time of MLflow's import
            try:
                import mlflow.tracking

                if path:
                    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - or imported later
            finally:
                gc.enable()
            lock = Path(f"{path}.lock") if path else root() / ".foldlab/tracking.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(lock, timeout=LOCK_SECONDS))
            if path and not (path.exists() and path.stat().st_size):
                _create(path)
            if path:  # MLflow itself would try for minutes to use a locked database
                with closing(sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)) as busy:
                    busy.execute("BEGIN IMMEDIATE")
            client = Client(connect(uri), seconds if network else None)
            client.experiment_id = _experiment(client, tracking.experiment, network, path)
            client.model_name = tracking.model_name
        with failures():
            yield client


def connect(uri: str) -> "MlflowClient":
    """Return MLflow's client of a store.

    Raises:
        StoreError: if the address is invalid, or MLflow knows no such kind.
    """
    is_folder = _scheme(uri) in ("", "file")  # of which MLflow makes no store any more
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException

    try:
        return MlflowClient(uri, registry_uri=uri)
    except MlflowException as error:
        if is_folder or isinstance(error, UnsupportedModelRegistryStoreURIException):
            raise StoreError(
                "not an address of a store: a server's starts with http:// or https://, "
                "a database's with its kind, such as sqlite:///",
                "correct MLFLOW_TRACKING_URI",
            ) from None
        raise


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme
    except ValueError as error:
        raise StoreError(f"not a valid address ({error})", "correct MLFLOW_TRACKING_URI") from None


def _create(path: Path) -> None:
    """Create a sqlite store atomically, since MLflow migrates a new one in many steps."""
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    prefix = f"{path.name}.new-"
    for abandoned in path.parent.glob(f"{glob.escape(prefix)}*"):  # by a killed process
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent) as folder:
        new = Path(folder) / path.name
        created = SqlAlchemyStore(address.sqlite(new), DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
        created.engine.dispose()
        new.replace(path)


class Client:
    """An MlflowClient that refuses calls after its deadline, in `seconds` from now."""

    experiment_id: str
    model_name: str  # the registered model's

    def __init__(self, client: object, seconds: float | None) -> None:
        """Wrap `client`, without a deadline if `seconds` is None."""
        self._client = client
        self._seconds = seconds
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def __getattr__(self, name: str) -> Callable:
        """Return the client's method, with a check of the deadline before each call."""
        method = getattr(self._client, name)

        def call(*arguments: object, **named: object) -> object:
            if time.monotonic() > self._end:
                raise TimeoutError(f"not done after {self._seconds:.0f} s")
            return method(*arguments, **named)

        return call


def _experiment(client: Client, name: str, network: bool, path: Path | None) -> str:
    """Return the id of an experiment; create it if it does not exist."""
    found = client.get_experiment_by_name(name)
    if found is None:
        # A server chooses its own location. MLflow's default for a database is the working folder.
        folder = (path.parent if path else root().absolute()) / ARTIFACTS
        where = None if network else folder.as_uri()
        tags = EXPERIMENT_TAGS | ({DATABASE: str(path.resolve())} if path else {})
        return client.create_experiment(name, where, tags=tags)
    if found.lifecycle_stage != "active":
        restore = f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
        raise StoreError(f"the experiment {name!r} is deleted there", f"restore it with {restore}")
    if path:
        _check_place(path, found.artifact_location, found.tags.get(DATABASE))
        if found.tags.get(DATABASE) != str(path.resolve()):
            client.set_experiment_tag(found.experiment_id, DATABASE, str(path.resolve()))
    if view.is_outdated(found.tags):
        client.set_experiment_tag(found.experiment_id, view.TAG, view.VIEW)
    return found.experiment_id


def _check_place(path: Path, location: str, recorded: str | None) -> None:
    """Refuse a sqlite file that was copied, or moved away from its artifacts.

    It would write into the original's artifacts, whose absolute path MLflow stores.
    `recorded` is where the file was when it was last used; a file from MLflow itself has no record.
    Artifacts elsewhere, on a disk or in a bucket of the user's choice, stay with a moved file.
    """
    here, uri = path.resolve(), urlsplit(location)
    if uri.scheme == "mlflow-artifacts":
        raise StoreError(
            "this experiment was made by an MLflow server, which alone can reach its artifacts",
            "set MLFLOW_TRACKING_URI to the server's address, or choose another "
            "`tracking.experiment` in params.yaml",
        )
    before, folder = Path(recorded or here).resolve(), Path(unquote(uri.path))
    folder = folder.parent.resolve() / folder.name
    outside = uri.scheme in ("", "file") and not folder.is_relative_to(path.parent.resolve())
    copied = os.path.exists(before) and not before.samefile(here)
    moved = outside and before != here and folder.is_relative_to(before.parent)
    owner = before.parent if copied or moved else None  # where the artifacts' own sqlite file is
    if owner is None and outside and (folder.name == ARTIFACTS or folder.parent.name == "mlruns"):
        default = folder.parent if folder.name == ARTIFACTS else folder.parent.parent
        owner = default if not folder.exists() or (default / path.name).exists() else None
    if owner:
        raise StoreError(
            f"{path.name} was moved or copied here, and its artifacts belong to {owner}",
            f"move it and {ARTIFACTS} away and run `make publish` to rebuild both",
        )
