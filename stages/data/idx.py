"""IDX files, the format of MNIST: a magic number, the sizes of the dimensions, then the numbers.

The format is described at the end of http://yann.lecun.com/exdb/mnist/.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from stages.errors import UserError

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTES = 0x08
# The file names of MNIST, which later data sets share.
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"


def find(folder: Path, file: str) -> Path | None:
    """Return the path of one of the four files, with or without .gz, or None."""
    dotted = file.replace("-idx", ".idx")  # as some archives name it
    for name in (file, f"{file}.gz", dotted, f"{dotted}.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def read(path: Path) -> np.ndarray:
    """Read the array in an IDX file of unsigned bytes, compressed with gzip or not.

    Args:
        path: the file.

    Returns:
        uint8, read-only, in the shape that the file states.

    Raises:
        UserError: when the file is not a complete IDX file of unsigned bytes.
        OSError: when it cannot be read.
    """
    return parse(content(path), str(path))


def content(path: Path) -> bytes:
    """Return the bytes of a file, decompressed if they are gzip, regardless of its name.

    Raises:
        UserError: when it is a gzip file that is truncated or damaged.
        OSError: when it cannot be read.
    """
    raw = path.read_bytes()
    if not raw.startswith(GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        raise UserError(
            f"{path} is a truncated or damaged gzip file; copy or download it again."
        ) from None


def parse(raw: bytes, name: str) -> np.ndarray:
    """Return the array that the bytes of an IDX file hold; see `read`.

    Args:
        raw: the decompressed bytes.
        name: the file's name, for messages.
    """
    dimensions = raw[3] if len(raw) >= 4 else 0
    if raw[:2] != b"\0\0" or not dimensions:
        begins = f"begins with {raw[:4].hex(' ')}" if raw else "is empty"
        raise UserError(
            f"{name} is not an IDX file: it {begins} instead of 00 00 08 and the number of "
            "dimensions; copy or download it again."
        )
    if raw[2] != UNSIGNED_BYTES:
        raise UserError(
            f"{name} has the IDX type {raw[2]:02x}, but only 08 (unsigned bytes) is "
            "supported; convert it."
        )
    header = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", raw[4:header]) if len(raw) >= header else None
    expected = header + math.prod(shape) if shape else header
    if len(raw) != expected or shape is None:
        raise UserError(
            f"{name} has {len(raw)} bytes, but its header requires {expected}; "
            "copy or download it again."
        )
    if expected == header:
        raise UserError(f"{name} is empty: its shape is {shape}; give a file with images.")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
