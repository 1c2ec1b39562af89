"""A source of your own as IDX files: a folder with the four names of MNIST's files."""

from pathlib import Path

import numpy as np

from stages.data import arrays, idx
from stages.data.source import Source
from stages.errors import UserError
from stages.sections import Data

KNOWN = f"a folder with {idx.TRAIN_IMAGES} and its kin, gzipped or not"
NAMES = (idx.TRAIN_IMAGES, idx.TRAIN_LABELS, idx.TEST_IMAGES, idx.TEST_LABELS)


def recognises(path: Path) -> bool:
    """Say whether any of the four files lies in the folder."""
    return bool(files(path))


def files(path: Path) -> list[Path]:
    """Return which of the four files are there."""
    return [found for name in NAMES if (found := idx.find(path, name))]


def load(path: Path, data: Data) -> Source:
    """Read the training files, and the test files where they are; classes are the labels.

    Raises:
        UserError: when a file is missing or is no whole IDX file, or for wrong labels.
        OSError: when a file cannot be read.
    """
    train = _read(path, idx.TRAIN_IMAGES), _read(path, idx.TRAIN_LABELS)
    if not idx.find(path, idx.TEST_IMAGES) and not idx.find(path, idx.TEST_LABELS):
        return arrays.source(path.name, train, None)
    test = _read(path, idx.TEST_IMAGES), _read(path, idx.TEST_LABELS)
    return arrays.source(path.name, train, test)


def _read(folder: Path, name: str) -> np.ndarray:
    """Read one of the four files, or say that it is missing."""
    found = idx.find(folder, name)
    if found is None:
        raise UserError(
            f"{folder} holds no {name}, with or without .gz; put it there, or set data.format if "
            "this is no folder of IDX files."
        )
    return idx.read(found)
