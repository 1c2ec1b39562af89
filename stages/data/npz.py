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
TRAIN = (("x_train", "y_train"), ("images", "labels"))  # the first pair found is read
TEST = ("x_test", "y_test")


def recognises(path: Path) -> bool:
    """Return whether this is a file with the suffix .npz."""
    return path.is_file() and path.suffix.lower() == ".npz"


def files(path: Path) -> list[Path]:
    """Return the file itself."""
    return [path]


def load(path: Path, data: Data) -> Source:
    """Read the arrays; classes are the labels, numbers or text.

    Arrays of Python objects are refused, never unpickled.

    Raises:
        UserError: when this is not a complete .npz file, or an array is missing or invalid.
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        refusal = f"{path} is not an .npz file or is damaged; save it with numpy.savez."
        with _numpy_errors(UserError(refusal)):
            archive = zipfile.ZipFile(file)
        present = {name.removesuffix(".npy") for name in archive.namelist()}
        pair = next((pair for pair in TRAIN if set(pair) <= present), None)
        if pair is None:
            raise UserError(
                f"{path} has {', '.join(map(repr, sorted(present)[:8])) or 'nothing'}; give it "
                "x_train and y_train, or images and labels."
            )
        train = _read(archive, pair[0], path), _read(archive, pair[1], path)
        test = None
        if pair == TRAIN[0] and present & set(TEST):
            if not set(TEST) <= present:
                raise UserError(f"{path} has only one of x_test and y_test; give both or neither.")
            test = _read(archive, TEST[0], path), _read(archive, TEST[1], path)
    return arrays.source(path.stem, train, test)


def _read(archive: zipfile.ZipFile, key: str, path: Path) -> np.ndarray:
    """Read one array; its header is checked first, lest a forged shape allocate memory."""
    name = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
    damaged = UserError(f"{path} has a damaged array {key}; save or copy the file again.")
    with _numpy_errors(damaged), archive.open(name) as member:
        if np.lib.format.read_magic(member) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
        begin = member.tell()
    if dtype.hasobject:
        raise UserError(
            f"{path} has an array of Python objects, {key}, which could run code when read; "
            "save plain numbers or text."
        )
    if begin + math.prod(shape) * dtype.itemsize != archive.getinfo(name).file_size:
        raise damaged
    with _numpy_errors(damaged), archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


@contextmanager
def _numpy_errors(refusal: UserError) -> Iterator[None]:
    """Replace any exception of zipfile or NumPy by `refusal`; wrap no code of ours."""
    try:
        yield
    except Exception:
        raise refusal from None
