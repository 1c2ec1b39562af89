"""User source: one `.npz` file of arrays."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stages.data import arrays
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = (
    "an .npz file with x_train, y_train and optionally x_test, y_test, or with images, labels"
)
KEYS = (("x_train", "y_train", "x_test", "y_test"), ("x_train", "y_train"), ("images", "labels"))


def recognises(path: Path) -> bool:
    """Return whether this is a file with the suffix .npz."""
    return path.is_file() and path.suffix.lower() == ".npz"


def files(path: Path) -> list[Path]:
    """Return the file itself."""
    return [path]


def load(path: Path, data: Data) -> Source:
    """Read the arrays, but no Python objects; classes are the labels, numbers or text."""
    with path.open("rb") as file:
        with _refuse(f"{path} is not an .npz file or is damaged; save it with numpy.savez."):
            archive = zipfile.ZipFile(file)
        present = {name.removesuffix(".npy") for name in archive.namelist()}
        keys = next((keys for keys in KEYS if present >= {*keys}), ())
        if not keys or (keys == KEYS[1] and present & {*KEYS[0]} > {*keys}):
            raise UserError(
                f"{path} has {', '.join(map(repr, sorted(present)[:8])) or 'nothing'}; give it "
                "x_train and y_train, with both or neither of x_test and y_test, or images and "
                "labels."
            )
        read = [_read(archive, key, path) for key in keys]
    return arrays.source(path.stem, *read)


def _read(archive: zipfile.ZipFile, key: str, path: Path) -> np.ndarray:
    """Read one array; its header is checked first, lest a forged shape allocate memory."""
    name = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    damaged = f"{path} has a damaged array {key}; save or copy the file again."
    with _refuse(damaged), archive.open(name) as member:
        major, _ = np.lib.format.read_magic(member)
        shape, _, dtype = getattr(np.lib.format, f"read_array_header_{major}_0")(member)
        begin = member.tell()
    if dtype.hasobject:
        raise UserError(
            f"{path} has an array of Python objects, {key}, which could run code when read; "
            "save plain numbers or text."
        )
    if begin + math.prod(shape) * dtype.itemsize != archive.getinfo(name).file_size:
        raise UserError(damaged)
    with _refuse(damaged), archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


@contextmanager
def _refuse(message: str) -> Iterator[None]:
    """Turn any exception of zipfile or NumPy into a UserError; wrap no code of ours."""
    try:
        yield
    except MemoryError:
        raise
    except Exception:
        raise UserError(message) from None
