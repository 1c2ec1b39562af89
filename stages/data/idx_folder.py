"""User source: a folder of IDX files with the names of MNIST's."""

from pathlib import Path

import numpy as np

from stages.data import arrays, idx
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = f"a folder with {idx.TRAIN_IMAGES} and the like, gzipped or not"
NAMES = (idx.TRAIN_IMAGES, idx.TRAIN_LABELS, idx.TEST_IMAGES, idx.TEST_LABELS)


def recognises(path: Path) -> bool:
    """Return whether any of the four files is in the folder."""
    return bool(files(path))


def files(path: Path) -> list[Path]:
    """Return those of the four files that exist."""
    return [found for name in NAMES if (found := idx.find(path, name))]


def load(path: Path, data: Data) -> Source:
    """Read the training files, and the test files if they exist; classes are the labels.

    Raises:
        UserError: when a file is missing or is not a complete IDX file, or for invalid labels.
        OSError: when a file cannot be read.
    """
    train = _read(path, idx.TRAIN_IMAGES), _read(path, idx.TRAIN_LABELS)
    if not idx.find(path, idx.TEST_IMAGES) and not idx.find(path, idx.TEST_LABELS):
        return arrays.source(path.name, train, None)
    test = _read(path, idx.TEST_IMAGES), _read(path, idx.TEST_LABELS)
    return arrays.source(path.name, train, test)


def _read(folder: Path, name: str) -> np.ndarray:
    """Read one of the four files."""
    found = idx.find(folder, name)
    if found is None:
        raise UserError(
            f"{folder} has no {name}, with or without .gz; put it there, or set data.format if "
            "this is not a folder of IDX files."
        )
    return idx.read(found)
