"""The runs that this checkout has begun and not finished, so that none stays open for ever.

Each is noted in `.foldlab/runs/<run id>`, with its variant and the lock that its training holds. A
run of another machine is never noted here, so it is never taken for dead.
"""

import os
import time
from collections.abc import Container, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from stages.entry import root
from stages.files import listed, read_json, write_json
from stages.tracking import store
from stages.tracking.children import RUNNING, runs_below

KEPT_DAYS = 7


def note(run_id: str, variant: str, lock: Path | None = None) -> None:
    """Note a run that is begun.

    Args:
        run_id: the run's id.
        variant: what it trains.
        lock: the file that is locked as long as the run is worked on; None: the store's own lock.
    """
    content = {
        "store": _here(),
        "variant": variant,
        "lock": os.path.relpath(lock, root()) if lock else None,
    }
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

    What nobody has gone on with for days is given up and ends as KILLED. The caller has the store's
    lock, so no process of this checkout is publishing now.
    """
    for path, content in _idle():
        if content["store"] == _here() and (run := _run(client, path)):
            old = time.time() - path.stat().st_mtime > KEPT_DAYS * 86400
            end(client, run, "KILLED" if old and run.info.status == "SCHEDULED" else "FAILED")
            if old:
                path.unlink(missing_ok=True)


def overtake(client: store.Client, newer: Run) -> None:
    """End as KILLED the noted runs of the same variant and experiment that `newer` has overtaken.

    The caller has the store's lock.
    """
    for path, content in _idle():
        if (content["store"], content.get("variant")) != (_here(), newer.data.tags["variant"]):
            continue
        run = _run(client, path)
        if (
            run
            and run.info.run_id != newer.info.run_id
            and run.info.experiment_id == newer.info.experiment_id
            and run.info.start_time <= newer.info.start_time
        ):
            end(client, run, "KILLED")


def drop_removed(rows: Container[str], client: store.Client | None) -> set[str]:
    """Strike off the runs of variants that are removed, and return the names of these.

    Args:
        rows: the variants that there are.
        client: an opened store, in which they end as KILLED; None: there is none to be had.
    """
    dropped = set()
    for path, content in _idle():
        name = content.get("variant")
        if name is None or name in rows:
            continue
        if client and content["store"] == _here() and (run := _run(client, path)):
            end(client, run, "KILLED")
        path.unlink(missing_ok=True)
        dropped.add(name)
    return dropped


def end(client: store.Client, run: Run, status: str) -> None:
    """End a parent run and its fold runs that say RUNNING, and as KILLED also those SCHEDULED."""
    if run.info.lifecycle_stage != "active":
        return
    endless = ("RUNNING", "SCHEDULED") if status == "KILLED" else ("RUNNING",)
    for each in (*runs_below(client, run, RUNNING), run):
        if each.info.status in endless:
            now = max(round(time.time() * 1000), each.info.start_time)  # a clock may be set back
            client.set_terminated(each.info.run_id, status, now)


def _notes() -> Path:
    return root() / ".foldlab" / "runs"


def _idle() -> Iterator[tuple[Path, dict]]:
    """Yield the notes, with their content, of runs on which nobody works now."""
    for path in listed(_notes()):
        try:
            content = read_json(path)
            _, lock = content["store"], content["lock"]
        except FileNotFoundError:  # another process has just finished it
            continue
        except (KeyError, TypeError, ValueError):  # torn by a full disk
            path.unlink(missing_ok=True)
            continue
        if not (lock and held(root() / lock)):
            yield path, content


def _run(client: store.Client, note: Path) -> Run | None:
    """Return the run of a note; the note goes where the store has no such run."""
    try:
        return client.get_run(note.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        note.unlink(missing_ok=True)
        return None


def _here() -> str:
    """Return the store's address, of a sqlite file as seen from a checkout that may move."""
    path = store.database(store.location())
    return os.path.relpath(path, root()) if path else store.safe(store.location())
