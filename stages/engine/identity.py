"""Fingerprints: hashes of everything that determines a variant's training."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stages.engine import environment
from stages.training.recipe import Recipe

# Packages whose code can change a fold. DVC runs `train` again for a change of other code in
# dvc.yaml too, such as stages/settings, but finished folds are then reused.
CODE = ("augment", "models", "training")


def fingerprint(recipe: Recipe, data_sha256: str) -> str:
    """Return the SHA-256, in hexadecimal, of everything that determines a variant's folds.

    That is the resolved settings, the prepared data with its folds, the numerical code and the
    environment.
    """
    content = {
        "settings": recipe.model_dump(),
        "data": data_sha256,
        "code": code(),
        "environment": environment.current(recipe.train.kernels),
    }
    return digest(content)


def ensemble_fingerprint(variant: str, members: Iterable[str]) -> str:
    """Return the SHA-256, in hexadecimal, of an ensemble's name and its members' fingerprints."""
    return digest([variant, *members])


def digest(content: Any) -> str:
    """Return the SHA-256, in hexadecimal, of JSON content; the order of keys does not matter.

    Equal content has the same digest in every process.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def of_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256, in hexadecimal, of the values of arrays in memory, one after another."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def code() -> list[tuple[str, str]]:
    """Return the path and the SHA-256, in hexadecimal, of each file of numerical code.

    Hidden files and folders and broken links are skipped: editors and file managers create them.
    """
    root = Path(__file__).parents[1]
    hashes = []
    for path in sorted(path for package in CODE for path in (root / package).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and "/." not in name and "__pycache__" not in name:
            hashes.append((name, hashlib.sha256(path.read_bytes()).hexdigest()))
    return hashes
