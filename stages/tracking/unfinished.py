"""Keep track of unfinished runs of this checkout, so that each of them is ended at some point.

Each is noted in `.foldlab/runs/<run id>` with its variant, the lock file of its training and this
checkout's folder. Runs of other machines are not noted here, and notes that came with a copy of
another checkout are ignored, so a run of either is never mistaken for dead. The functions that end
runs are called while the store is open, so no other process of this checkout is publishing.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mlflow.entities import Run

from stages.files import listed, read_json, root, write_json
from stages.tracking import address, store
from stages.tracking.children import child_runs, get_or_none

KEPT_DAYS = 7


def note(run_id: str, variant: str, lock: Path | None = None) -> None:
    """Note a run as unfinished; `lock` is held while a process writes it; None: the store's own."""
    relative = os.path.relpath(lock, root()) if lock else None
    content = {"store": _here(), "variant": variant, "lock": relative}
    write_json(_notes() / run_id, {**content, "folder": str(root().resolve())})


def is_ours(run_id: str) -> bool:
    """Return whether the run is an unfinished one of this checkout."""
    return _read(_notes() / run_id) is not None


def forget(run_id: str) -> None:
    """Remove the note of a run, which is finished."""
    (_notes() / run_id).unlink(missing_ok=True)


def held(lock: Path, seconds: float = 0) -> bool:
    """Return whether the lock is still held after `seconds`; a killed process releases it late."""
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=seconds):
            return False
    except Timeout:
        return True


def end_stale(client: store.Client) -> None:
    """End noted runs that no process writes any more.

    RUNNING ones become FAILED. SCHEDULED ones become KILLED if nobody publishes them for some days.
    """
    for note_path, run in _idle(client):
        old = time.time() - note_path.stat().st_mtime > KEPT_DAYS * 86400
        end(client, run, "KILLED" if old and run.info.status == "SCHEDULED" else "FAILED")
        if old:
            note_path.unlink(missing_ok=True)


def end_older(client: store.Client, newer: Run) -> None:
    """Set older noted runs of the variant and experiment of `newer` to KILLED."""
    for _, run in _idle(client, newer.data.tags["variant"]):
        begun_before = run.info.start_time <= newer.info.start_time
        same_experiment = run.info.experiment_id == newer.info.experiment_id
        if begun_before and same_experiment and run.info.run_id != newer.info.run_id:
            end(client, run, "KILLED")


def end(client: store.Client, run: Run, status: str) -> None:
    """End a parent run and its folds if RUNNING or, with the status KILLED, also if SCHEDULED."""
    if run.info.lifecycle_stage != "active":
        return
    open_states = ("RUNNING", "SCHEDULED") if status == "KILLED" else ("RUNNING",)
    for each in (*child_runs(client, run, "fold"), run):
        if each.info.status in open_states:
            now = max(round(time.time() * 1000), each.info.start_time)  # the clock may be set back
            client.set_terminated(each.info.run_id, status, now)


def _idle(client: store.Client, variant: str | None = None) -> Iterator[tuple[Path, Run]]:
    """Yield (note, run) of this store's noted runs that no process writes, all or one variant's."""
    for path in listed(_notes()):
        noted = _read(path)
        if not noted or noted["store"] != _here() or variant not in (None, noted["variant"]):
            continue
        if noted["lock"] and held(root() / noted["lock"]):
            continue
        run = get_or_none(client.get_run, path.name)
        if run is None:
            path.unlink(missing_ok=True)
        else:
            yield path, run


def _read(path: Path) -> dict[str, Any] | None:
    """Return a note of this checkout, which may have moved; None if there is none."""
    try:
        noted = read_json(path)
    except FileNotFoundError:  # or another process has just finished the run
        return None
    folder = noted.get("folder", root())
    return noted if not os.path.exists(folder) or os.path.samefile(folder, root()) else None


def _notes() -> Path:
    return root() / ".foldlab" / "runs"


def _here() -> str:
    """Return the store's address; for a sqlite file, relative to the checkout, which may move."""
    path = address.database(address.uri())
    return os.path.relpath(path, root()) if path else address.shown()
