"""The images that a model was trained on: a digest of each, listed in the model's own file.

The list travels with the file, into the registry and out of it. So a variant that starts from the
model is refused where the same images would validate or test it, in whatever data they are.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

NAME = "trained_images.npz"  # in the .keras archive, where Keras leaves alone what it does not know


class Listed(NamedTuple):
    """The images that a model was trained on, and those of the model that it started from."""

    digests: np.ndarray  # uint64 (n,), in order, each once
    complete: bool  # False where it started from a model without a list


def digests(images: np.ndarray) -> np.ndarray:
    """Return one BLAKE2b digest of 8 bytes an image, the same for the same pixels: uint64 (n,).

    Args:
        images: uint8 (n, height, width, channels); memory-mapped ones are read one at a time.
    """
    found = (
        hashlib.blake2b(np.ascontiguousarray(image), digest_size=8).digest() for image in images
    )
    return np.frombuffer(b"".join(found), "<u8")


def merged(lists: Iterable[Listed | None]) -> Listed:
    """Return one list of all; it is complete when every list is there and complete."""
    lists = list(lists)
    known = [listed.digests for listed in lists if listed]
    return Listed(
        np.unique(np.concatenate(known)) if known else np.empty(0, "<u8"),
        all(listed is not None and listed.complete for listed in lists),
    )


def write(archive: zipfile.ZipFile, listed: Listed) -> None:
    """Add a list to the archive of a `.keras` file that is open for writing."""
    content = io.BytesIO()
    np.savez(content, digests=listed.digests, complete=listed.complete)
    archive.writestr(zipfile.ZipInfo(NAME), content.getvalue())


def read(content: bytes) -> Listed | None:
    """Return the list in the content of a `.keras` file, or None where it has none."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if NAME not in archive.namelist():
            return None
        try:
            with np.load(io.BytesIO(archive.read(NAME)), allow_pickle=False) as stored:
                return Listed(stored["digests"].astype("<u8"), bool(stored["complete"]))
        except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            return None  # some other program's
