"""User source: one `.npz` file of arrays."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stages.data import arrays
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = (
    "an .npz file with x_train, y_train and optionally x_test, y_test, or with images, labels"
)
KEYS = (("x_train", "y_train", "x_test", "y_test"), ("x_train", "y_train"), ("images", "labels"))


def recognises(path: Path) -> bool:
    """Return whether this is a file with the suffix .npz."""
    return path.is_file() and path.suffix.lower() == ".npz"


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
    return arrays.source(path.name, *map(Split, read[::2], read[1::2]))


def _read(archive: zipfile.ZipFile, key: str, path: Path) -> np.ndarray:
    """Read one array; memory is allocated by its bytes, since a header can be forged."""
    name = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    damaged = f"{path} has a damaged array {key}; save or copy the file again."
    with _refuse(damaged), archive.open(name) as member:
        major, _ = np.lib.format.read_magic(member)
        shape, fortran, dtype = getattr(np.lib.format, f"read_array_header_{major}_0")(member)
        content = member.read()
    if dtype.hasobject:
        raise UserError(
            f"{path} has an array of Python objects, {key}, which could run code when read; "
            "save plain numbers or text."
        )
    with _refuse(damaged):
        return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


@contextmanager
def _refuse(message: str) -> Iterator[None]:
    """Turn any exception of zipfile or NumPy into a UserError; wrap no code of ours."""
    try:
        yield
    except MemoryError:
        raise
    except Exception:
        raise UserError(message) from None
