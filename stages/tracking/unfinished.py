"""The runs that this checkout has begun and not finished, so that none stays RUNNING for ever.

Each is noted in `.foldlab/runs/<run id>`, with the lock that its training holds. A run of another
machine is never noted here, so it is never taken for dead.
"""

import os
import time
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from stages.entry import root
from stages.files import read_json, write_json
from stages.tracking import store
from stages.tracking.children import RUNNING, runs_below

KEPT_DAYS = 7


def note(run_id: str, lock: Path | None = None) -> None:
    """Note a run that is begun.

    Args:
        run_id: the run's id.
        lock: the file that is locked as long as the run is worked on; None: the store's own lock.
    """
    content = {"store": _here(), "lock": os.path.relpath(lock, root()) if lock else None}
    write_json(_notes() / run_id, content)


def is_noted(run_id: str) -> bool:
    """Return whether this checkout has begun the run, and not finished it."""
    return (_notes() / run_id).is_file()


def forget(run_id: str) -> None:
    """Strike a run off: it is finished."""
    (_notes() / run_id).unlink(missing_ok=True)


def held(lock: Path) -> bool:
    """Return whether a process holds the lock; the system frees that of a killed one."""
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def fail_stale(client: store.Client) -> None:
    """Mark the noted runs FAILED that say RUNNING while nobody works on them any more.

    The caller has the store's lock, so no process of this checkout is publishing now.
    """
    for path in sorted(_notes().glob("*")):
        try:
            content = read_json(path)
            of_here, lock = content["store"] == _here(), content["lock"]
        except (KeyError, TypeError, ValueError):  # torn by a full disk
            path.unlink(missing_ok=True)
            continue
        if not of_here or (lock and held(root() / lock)):
            continue
        try:
            run = client.get_run(path.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            path.unlink(missing_ok=True)
            continue
        if run.info.lifecycle_stage == "active":
            fail(client, run)
        if time.time() - path.stat().st_mtime > KEPT_DAYS * 86400:
            path.unlink(missing_ok=True)


def fail(client: store.Client, run: Run) -> None:
    """Mark a parent run and its fold runs FAILED where they say RUNNING."""
    for each in (*runs_below(client, run, RUNNING), run):
        if each.info.status == "RUNNING":
            now = max(round(time.time() * 1000), each.info.start_time)  # a clock may be set back
            client.set_terminated(each.info.run_id, "FAILED", now)


def _notes() -> Path:
    return root() / ".foldlab" / "runs"


def _here() -> str:
    """Return the store's address, of a sqlite file as seen from a checkout that may move."""
    path = store.database(store.location())
    return os.path.relpath(path, root()) if path else store.safe(store.location())
