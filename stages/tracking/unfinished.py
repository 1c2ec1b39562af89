"""Keep track of unfinished runs of this checkout, so that each of them is ended at some point.

Each is noted in `.foldlab/runs/<run id>` with its variant and the lock file of its training. Runs
of other machines are not noted here, so they are never mistaken for dead.
"""

import os
import time
from collections.abc import Container, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from stages.files import listed, read_json, root, write_json
from stages.tracking import store
from stages.tracking.children import RUNNING, child_runs

KEPT_DAYS = 7


def note(run_id: str, variant: str, lock: Path | None = None) -> None:
    """Note a run as unfinished.

    Args:
        run_id: the run's id.
        variant: the run's variant.
        lock: the file that is locked while a process writes the run; None: the store's own lock.
    """
    content = {
        "store": _here(),
        "variant": variant,
        "lock": os.path.relpath(lock, root()) if lock else None,
    }
    write_json(_notes() / run_id, content)


def is_noted(run_id: str) -> bool:
    """Return whether the run is an unfinished one of this checkout."""
    return (_notes() / run_id).is_file()


def forget(run_id: str) -> None:
    """Remove the note of a run, which is finished."""
    (_notes() / run_id).unlink(missing_ok=True)


def held(lock: Path, seconds: float = 0) -> bool:
    """Return whether a process holds the lock, also after waiting for so many seconds.

    The system frees the lock of a killed process, but not in the same moment as its pipes.
    """
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=seconds):
            return False
    except Timeout:
        return True


def fail_stale(client: store.Client) -> None:
    """Set noted runs to FAILED if they are RUNNING but no process writes them any more.

    Trained but unpublished runs become KILLED after some days. The caller holds the store's lock,
    so no other process of this checkout is publishing.
    """
    for path, content in _idle():
        if content["store"] == _here() and (run := _run(client, path)):
            old = time.time() - path.stat().st_mtime > KEPT_DAYS * 86400
            end(client, run, "KILLED" if old and run.info.status == "SCHEDULED" else "FAILED")
            if old:
                path.unlink(missing_ok=True)


def overtake(client: store.Client, newer: Run) -> None:
    """Set older noted runs of the variant and experiment of `newer` to KILLED.

    The caller holds the store's lock.
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
    """Remove the notes of runs whose variants were removed; return the names of these variants.

    Args:
        rows: the existing variants.
        client: an opened store, where the runs are set to KILLED; None: the store is unreachable.
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
    """End a parent run and its folds if RUNNING or, with the status KILLED, also if SCHEDULED."""
    if run.info.lifecycle_stage != "active":
        return
    open_states = ("RUNNING", "SCHEDULED") if status == "KILLED" else ("RUNNING",)
    for each in (*child_runs(client, run, RUNNING), run):
        if each.info.status in open_states:
            now = max(round(time.time() * 1000), each.info.start_time)  # the clock may be set back
            client.set_terminated(each.info.run_id, status, now)


def _notes() -> Path:
    return root() / ".foldlab" / "runs"


def _idle() -> Iterator[tuple[Path, dict]]:
    """Yield (note, content) of the runs that no process is writing."""
    for path in listed(_notes()):
        try:
            content = read_json(path)
            _, lock = content["store"], content["lock"]
        except FileNotFoundError:  # another process has just finished the run
            continue
        except (KeyError, TypeError, ValueError):  # incomplete, from a full disk
            path.unlink(missing_ok=True)
            continue
        if not (lock and held(root() / lock)):
            yield path, content


def _run(client: store.Client, note: Path) -> Run | None:
    """Return the run of a note; if the store does not have it, delete the note."""
    try:
        return client.get_run(note.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        note.unlink(missing_ok=True)
        return None


def _here() -> str:
    """Return the store's address; for a sqlite file, relative to the checkout, which may move."""
    path = store.database(store.location())
    return os.path.relpath(path, root()) if path else store.safe(store.location())
