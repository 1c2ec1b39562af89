"""Store finished folds under the fingerprint of everything that determines them.

DVC deletes a stage's outputs before running it, so unfinished training runs are stored elsewhere:
in `.foldlab/folds/<fingerprint>/` of the repository. Git and DVC ignore it, and DVC's temporary
experiments share it.
"""

import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from stages import files
from stages.errors import UserError
from stages.files import listed, read_json, write_arrays
from stages.training.fold import FoldResult

COMPLETE_DAYS = 7  # before a complete training run is deleted whose results are not in results/
UNFINISHED_DAYS = 90  # before an unfinished training run is deleted
COMPLETE = "complete"  # an empty file beside the folds of a complete run without a model
REUSED = ("scores", "features", "backbones")  # deleted when unused for COMPLETE_DAYS


def folder(fingerprint: str) -> Path:
    """Return the folder of a fingerprint's folds."""
    return files.root() / ".foldlab" / "folds" / fingerprint


def lock_path(fingerprint: str) -> Path:
    """Return the file that a process locks while it trains this fingerprint."""
    return folder(fingerprint) / "training.lock"


def save(fingerprint: str, fold: int | str, record: FoldResult) -> None:
    """Store a finished fold atomically."""
    arrays = record._asdict()
    weights = {f"weights_{n:04d}": array for n, array in enumerate(arrays.pop("weights"))}
    write_arrays(folder(fingerprint) / f"fold-{fold}.npz", arrays | weights)
    (folder(fingerprint) / COMPLETE).unlink(missing_ok=True)  # others may follow


def mark_complete(fingerprints: Iterable[str]) -> None:
    """Note that no more folds of training runs without a model follow, for `prune`."""
    for fingerprint in fingerprints:
        with suppress(FileNotFoundError):  # a run that failed has no folder
            (folder(fingerprint) / COMPLETE).touch()


def load(fingerprint: str, fold: int | str) -> FoldResult | None:
    """Return a stored fold, or None if it is missing or unreadable."""
    stored = _read(folder(fingerprint) / f"fold-{fold}.npz")
    if stored is None:
        return None
    weights = [stored.pop(name) for name in sorted(stored) if name.startswith("weights_")]
    return FoldResult(**stored, weights=weights)


def arrays(path: Path, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file; compute and store them if it is missing or damaged."""
    stored = _read(path)
    if stored is not None:
        os.utime(path)  # marks it as used
        return stored
    stored = compute()
    write_arrays(path, stored)
    return stored


def model(fingerprint: str, build: Callable[[], bytes]) -> bytes:
    """Return a variant's stored model file; build and store it if it is missing or damaged."""
    path = folder(fingerprint) / "model.keras"
    if zipfile.is_zipfile(path):
        return path.read_bytes()
    content = build()
    files.write_bytes(path, content)
    return content


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def prune() -> None:
    """Delete old training runs, and computed values that have not been used for long.

    Unfinished runs are kept much longer, and a message names those deleted. A run that is still
    training is never deleted, nor one whose results are in use: DVC repeats a stage for edits that
    change no result, such as that of a description.
    """
    store, used = files.root() / ".foldlab", _in_results()
    for path in (path for kind in REUSED for path in listed(store / kind)):
        with suppress(OSError):  # another process may delete it at the same time
            if _days(*(listed(path) or [path])) > COMPLETE_DAYS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in listed(store / "folds"):
        if path.name in used:
            continue
        with suppress(OSError, Timeout):  # Timeout: this training is running
            complete = any((path / name).exists() for name in ("model.keras", COMPLETE))
            days = _days(*(listed(path) or [path]))
            if days <= (COMPLETE_DAYS if complete else UNFINISHED_DAYS):
                continue
            with FileLock(lock_path(path.name), timeout=0):
                if not complete and (count := len(listed(path, "fold-*.npz"))):
                    print(
                        f"foldlab: deleting {count} folds of an unfinished training run that has "
                        f"not changed for {days:.0f} days: {path.name[:8]}.",
                        file=sys.stderr,
                    )
                shutil.rmtree(path)


def _in_results() -> set[str]:
    """Return the fingerprints of the variants in results/, and of the members of ensembles."""
    found = set()
    for path in (files.root() / files.RESULTS).glob("*/training.json"):
        with suppress(UserError, OSError):  # damaged, or removed at the same time
            training = read_json(path, ("fingerprint",))
            found |= {training["fingerprint"], *training.get("members", {}).values()}
    return found


def _days(*paths: Path) -> float:
    """Return the days since any of the files was last written."""
    return (time.time() - max(path.stat().st_mtime for path in paths)) / 86400
