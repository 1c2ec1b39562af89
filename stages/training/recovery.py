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
from collections.abc import Mapping
from contextlib import suppress
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
    content = {
        "settings": recipe.model_dump(),
        "data": data_sha256,
        "code": code(),
        "libraries": libraries(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code() -> list[tuple[str, str]]:
    """Return the path and the SHA-256, in hexadecimal, of each file of the rooms that compute."""
    here = Path(__file__).parents[1]
    files = sorted(path for room in CODE for path in (here / room).rglob("*.py"))
    return [
        (path.relative_to(here).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    ]


def libraries() -> list[tuple[str, str]]:
    """Return the names and versions of the libraries that compute."""
    return [(name, version(name)) for name in LIBRARIES]


def folder(mark: str) -> Path:
    """Return where the finished folds of a fingerprint are kept."""
    return entry.root() / ".foldlab" / "folds" / mark


def keep(mark: str, fold: int | str, record: Record) -> None:
    """Store a finished fold, whole or not at all."""
    arrays = {name: value for name, value in record._asdict().items() if name != "weights"}
    arrays |= {f"weights_{place:04d}": array for place, array in enumerate(record.weights)}
    keep_arrays(mark, f"fold-{fold}", arrays)


def kept(mark: str, fold: int | str) -> Record | None:
    """Return a stored fold, or None when it is not finished or cannot be read."""
    stored = kept_arrays(mark, f"fold-{fold}") or {}
    weights = [stored[name] for name in sorted(stored) if name.startswith("weights_")]
    rest = {name: stored[name] for name in Record._fields if name in stored}
    return Record(**rest, weights=weights) if stored else None


def keep_arrays(mark: str, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Store named arrays of a training, whole or not at all."""
    with replacing(folder(mark) / f"{name}.npz") as beside:
        np.savez(beside, **arrays)


def kept_arrays(mark: str, name: str) -> dict[str, np.ndarray] | None:
    """Return stored arrays, or None when they are not made yet or cannot be read."""
    try:
        with np.load(folder(mark) / f"{name}.npz", allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def keep_model(mark: str, content: bytes) -> None:
    """Store the content of a variant's model file, whole or not at all."""
    with replacing(folder(mark) / "model.keras") as beside:
        beside.write_bytes(content)


def kept_model(mark: str) -> bytes | None:
    """Return the stored content of a model file, or None when it is not made yet or is torn."""
    path = folder(mark) / "model.keras"
    return path.read_bytes() if zipfile.is_zipfile(path) else None


def forget_old() -> None:
    """Delete the folds and scores of trainings that nobody has touched for some days."""
    kept = entry.root() / ".foldlab"
    for path in [*kept.glob("folds/*"), *kept.glob("scores/*")]:
        with suppress(OSError):  # another process begins there, or deletes the same
            newest = max(file.stat().st_mtime for file in [*path.glob("*")] or [path])
            if time.time() - newest > KEPT_DAYS * 86400:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
