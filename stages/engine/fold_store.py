"""Store finished folds under the fingerprint of everything that determines them.

DVC deletes a stage's outputs before running it, so unfinished trainings are stored elsewhere: in
`.foldlab/folds/<fingerprint>/` of the repository. Git and DVC ignore it, and DVC's temporary
experiments share it.
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

from stages import files
from stages.files import listed, replacing
from stages.training.fold import FoldResult

COMPLETE_DAYS = 7  # before a complete training is deleted; DVC has its results
UNFINISHED_DAYS = 90  # before an unfinished training is deleted


def folder(fingerprint: str) -> Path:
    """Return the folder of a fingerprint's folds."""
    return files.root() / ".foldlab" / "folds" / fingerprint


def save(fingerprint: str, fold: int | str, record: FoldResult) -> None:
    """Store a finished fold atomically."""
    arrays = {name: value for name, value in record._asdict().items() if name != "weights"}
    arrays |= {f"weights_{index:04d}": array for index, array in enumerate(record.weights)}
    save_arrays(fingerprint, f"fold-{fold}", arrays)


def load(fingerprint: str, fold: int | str) -> FoldResult | None:
    """Return a stored fold, or None if it is missing or unreadable."""
    stored = load_arrays(fingerprint, f"fold-{fold}") or {}
    weights = [stored[name] for name in sorted(stored) if name.startswith("weights_")]
    fields = {name: stored[name] for name in FoldResult._fields if name in stored}
    return FoldResult(**fields, weights=weights) if stored else None


def save_arrays(fingerprint: str, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Store named arrays of a training atomically."""
    with replacing(folder(fingerprint) / f"{name}.npz") as temporary:
        np.savez(temporary, **arrays)


def load_arrays(fingerprint: str, name: str) -> dict[str, np.ndarray] | None:
    """Return stored arrays, or None if they are missing or unreadable."""
    try:
        with np.load(folder(fingerprint) / f"{name}.npz", allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def save_model(fingerprint: str, content: bytes) -> None:
    """Store the content of a variant's model file atomically."""
    with replacing(folder(fingerprint) / "model.keras") as temporary:
        temporary.write_bytes(content)


def load_model(fingerprint: str) -> bytes | None:
    """Return the stored content of a model file, or None if it is missing or damaged."""
    path = folder(fingerprint) / "model.keras"
    return path.read_bytes() if zipfile.is_zipfile(path) else None


def lock_path(fingerprint: str) -> Path:
    """Return the file that a process locks while it trains this fingerprint."""
    return folder(fingerprint) / "training.lock"


def prune() -> None:
    """Delete old scores and trainings.

    Unfinished trainings are kept much longer than complete ones, and deleting one prints a line.
    Running trainings are never deleted.
    """
    store = files.root() / ".foldlab"
    for path in listed(store / "scores", "*.npz"):
        with suppress(OSError):  # another process may delete it at the same time
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
                    f"foldlab: deleting {count} folds of an unfinished training that has not "
                    f"changed for {days:.0f} days: {path.name[:8]}.",
                    file=sys.stderr,
                )
            _delete(path)


def _days(*paths: Path) -> float:
    """Return the days since the last of the files was written."""
    return (time.time() - max(path.stat().st_mtime for path in paths)) / 86400


def _delete(path: Path) -> None:
    """Delete a training's folder unless its lock is held."""
    lock = FileLock(lock_path(path.name))
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(path)
    except Timeout:
        pass  # training is running
