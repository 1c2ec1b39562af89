"""IDX files, the format of MNIST, and the user's own folder of them.

A file holds a magic number, the sizes of the dimensions, then the numbers; the end of
http://yann.lecun.com/exdb/mnist/ describes it.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from stages.data import arrays
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

GZIP_MAGIC = b"\x1f\x8b"
MAGIC = b"\0\0\x08"  # of unsigned bytes; then follows the number of dimensions
# The file names of MNIST, which later data sets share.
NAMES = TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
DESCRIPTION = f"a folder with {TRAIN_IMAGES} and the like, gzipped or not"


def recognises(path: Path, data: Data) -> bool:
    """Return whether any of the four files is in the folder."""
    return any(find(path, name) for name in NAMES)


def files(path: Path, data: Data) -> list[Path]:
    """Return those of the four files that exist."""
    return [file for name in NAMES if (file := find(path, name))]


def load(path: Path, data: Data) -> Source:
    """Read the training files, and the test files if either exists; classes are the labels."""
    has_test = find(path, TEST_IMAGES) or find(path, TEST_LABELS)
    read = []
    for name in NAMES if has_test else NAMES[:2]:
        file = find(path, name)
        if not file:
            raise UserError(
                f"{path} has no {name}, with or without .gz; put it there, or set data.format if "
                "this is not a folder of IDX files."
            )
        read.append(parse(content(file), file))
    return arrays.source(path.name, *map(Split, read[::2], read[1::2]))


def find(folder: Path, file: str) -> Path | None:
    """Return the path of one of the four files, with or without .gz, or None."""
    dotted = file.replace("-idx", ".idx")  # as some archives name it
    paths = (folder / name for name in (file, f"{file}.gz", dotted, f"{dotted}.gz"))
    return next((path for path in paths if path.is_file()), None)


def content(path: Path) -> bytes:
    """Return the bytes of a file, decompressed if they are gzip, regardless of its name."""
    raw = path.read_bytes()
    try:
        return gzip.decompress(raw) if raw.startswith(GZIP_MAGIC) else raw
    except (OSError, EOFError, zlib.error):
        raise UserError(f"{path} is a damaged gzip file; copy or download it again.") from None


def parse(raw: bytes, path: Path) -> np.ndarray:
    """Return the array in the decompressed content of a file: uint8, read-only, not empty."""
    if raw[:3] != MAGIC or len(raw) < 8:
        begins = f"begins with {raw[:4].hex(' ')}" if raw else "is empty"
        raise UserError(
            f"{path} is not an IDX file of unsigned bytes: it {begins} instead of {MAGIC.hex(' ')} "
            "and the number of dimensions; copy or download it again, or convert it."
        )
    header = 4 + 4 * raw[3]
    shape = np.frombuffer(raw[4:header].ljust(header - 4, b"\0"), ">u4").tolist()
    if not raw[3] or 0 in shape or len(raw) != header + math.prod(shape):
        raise UserError(
            f"{path} has {len(raw)} bytes, but its header requires {header + math.prod(shape)} for "
            f"an array of the shape {shape}; copy or download it again."
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
