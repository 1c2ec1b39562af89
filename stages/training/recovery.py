"""Recovery: finished folds kept outside DVC's outs, under the fingerprint of what determines them.

DVC deletes a stage's outs before it runs the stage, so a half-done training lives elsewhere: in
`.foldlab/folds/<fingerprint>/` of the repository, ignored by Git and DVC, shared with temporary
experiments.
"""

import hashlib
import json
import shutil
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stages import entry
from stages.files import replacing
from stages.training.fold import Record
from stages.training.recipe import Recipe

KEPT_DAYS = 7  # a finished training needs its folds only until DVC has noted it
CODE = ("augment", "models", "training")  # rooms whose code can change a fold
LIBRARIES = ("tensorflow", "keras", "numpy")


def fingerprint(recipe: Recipe, data_sha256: str) -> str:
    """Return the SHA-256, in hexadecimal, of all that determines a variant's folds.

    These are the resolved settings, the prepared data with its fold assignment, the code of the
    rooms that train, and the versions of the libraries that compute.
    """
    here = Path(__file__).parents[1]
    files = sorted(path for room in CODE for path in (here / room).rglob("*.py"))
    content = {
        "settings": recipe.model_dump(),
        "data": data_sha256,
        "code": [
            (path.relative_to(here).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in files
        ],
        "libraries": [(name, version(name)) for name in LIBRARIES],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def folder(mark: str) -> Path:
    """Return where the finished folds of a fingerprint are kept."""
    return entry.root() / ".foldlab" / "folds" / mark


def keep(mark: str, fold: int | str, record: Record) -> None:
    """Store a finished fold, whole or not at all."""
    arrays = {name: value for name, value in record._asdict().items() if name != "weights"}
    arrays |= {f"weights_{place:04d}": array for place, array in enumerate(record.weights)}
    with replacing(folder(mark) / f"fold-{fold}.npz") as beside:
        np.savez(beside, **arrays)


def kept(mark: str, fold: int | str) -> Record | None:
    """Return a stored fold, or None when it is not finished or cannot be read."""
    path = folder(mark) / f"fold-{fold}.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            weights = [stored[name] for name in sorted(stored) if name.startswith("weights_")]
            rest = {name: stored[name] for name in Record._fields if name != "weights"}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return Record(**rest, weights=weights)


def forget_old() -> None:
    """Delete the folds of trainings that nobody has touched for some days."""
    for path in (entry.root() / ".foldlab" / "folds").glob("*"):
        newest = max((file.stat().st_mtime for file in path.glob("*")), default=0.0)
        if time.time() - newest > KEPT_DAYS * 86400:
            shutil.rmtree(path, ignore_errors=True)
