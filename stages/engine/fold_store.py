"""Finished folds, outside DVC's outs, under the fingerprint of what determines them.

DVC deletes a stage's outs before it runs the stage, so a half-done training lives elsewhere: in
`.foldlab/folds/<fingerprint>/` of the repository, ignored by Git and DVC, shared with temporary
experiments.
"""

import shutil
import sys
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from stages import entry
from stages.files import listed, replacing
from stages.training.fold import Record

COMPLETE_DAYS = 7  # a complete training needs its folds only until DVC has its results
UNFINISHED_DAYS = 90


def folder(fingerprint: str) -> Path:
    """Return where the finished folds of a fingerprint are kept."""
    return entry.root() / ".foldlab" / "folds" / fingerprint


def save(fingerprint: str, fold: int | str, record: Record) -> None:
    """Store a finished fold, whole or not at all."""
    arrays = {name: value for name, value in record._asdict().items() if name != "weights"}
    arrays |= {f"weights_{place:04d}": array for place, array in enumerate(record.weights)}
    save_arrays(fingerprint, f"fold-{fold}", arrays)


def load(fingerprint: str, fold: int | str) -> Record | None:
    """Return a stored fold, or None when it is not finished or cannot be read."""
    stored = load_arrays(fingerprint, f"fold-{fold}") or {}
    weights = [stored[name] for name in sorted(stored) if name.startswith("weights_")]
    rest = {name: stored[name] for name in Record._fields if name in stored}
    return Record(**rest, weights=weights) if stored else None


def save_arrays(fingerprint: str, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Store named arrays of a training, whole or not at all."""
    with replacing(folder(fingerprint) / f"{name}.npz") as beside:
        np.savez(beside, **arrays)


def load_arrays(fingerprint: str, name: str) -> dict[str, np.ndarray] | None:
    """Return stored arrays, or None when they are not made yet or cannot be read."""
    try:
        with np.load(folder(fingerprint) / f"{name}.npz", allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def save_model(fingerprint: str, content: bytes) -> None:
    """Store the content of a variant's model file, whole or not at all."""
    with replacing(folder(fingerprint) / "model.keras") as beside:
        beside.write_bytes(content)


def load_model(fingerprint: str) -> bytes | None:
    """Return the stored content of a model file, or None when it is not made yet or is torn."""
    path = folder(fingerprint) / "model.keras"
    return path.read_bytes() if zipfile.is_zipfile(path) else None


def lock_path(fingerprint: str) -> Path:
    """Return the file that is locked while a process trains this."""
    return folder(fingerprint) / "training.lock"


def prune() -> None:
    """Delete what nobody has touched for a while: complete trainings, and old scores.

    Unfinished folds stay much longer, and one line says when they go. What a process trains now is
    never deleted.
    """
    store = entry.root() / ".foldlab"
    for path in listed(store / "scores", "*.npz"):
        with suppress(OSError):  # another process deletes the same
            if _days(path) > COMPLETE_DAYS:
                path.unlink()
    for path in listed(store / "folds"):
        with suppress(OSError):
            complete = (path / "model.keras").exists()
            days = _days(*(listed(path) or [path]))
            if days <= (COMPLETE_DAYS if complete else UNFINISHED_DAYS):
                continue
            if not complete and (count := len(listed(path, "fold-*.npz"))):
                print(
                    f"foldlab: deleting {count} folds of an unfinished training that nobody has "
                    f"touched for {days:.0f} days: {path.name[:8]}.",
                    file=sys.stderr,
                )
            _delete(path)


def _days(*paths: Path) -> float:
    """Return for how many days none of the files was written."""
    return (time.time() - max(path.stat().st_mtime for path in paths)) / 86400


def _delete(path: Path) -> None:
    """Delete a training's folder unless a process holds its lock."""
    lock = FileLock(lock_path(path.name))
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(path)
    except Timeout:
        pass  # it is being trained
