"""Digests of the images that a model was trained on, stored in the model file.

The list stays with the file, also in the model registry. It is used to reject a variant that
starts from the model if the same images would validate or test it, whatever the data set.
"""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NAME = "trained_images.npz"  # in the .keras archive; Keras ignores files it does not know


class Listed(NamedTuple):
    """The images that a model was trained on, including those of the model it started from."""

    digests: np.ndarray  # uint64 (n,), sorted and unique
    complete: bool  # False if it started from a model without a list


def digests(images: np.ndarray) -> np.ndarray:
    """Return an 8-byte BLAKE2b digest of each of (n, ...) uint8 images, as uint64 (n,)."""
    parts = (
        hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest()
        for image in images
    )
    return np.frombuffer(b"".join(parts), "<u8")


def merged(lists: Sequence[Listed | None]) -> Listed:
    """Merge lists into one, which is complete if every list is present and complete."""
    known = [listed for listed in lists if listed]
    together = np.concatenate([np.empty(0, "<u8"), *(listed.digests for listed in known)])
    complete = len(known) == len(lists) and all(listed.complete for listed in known)
    return Listed(np.unique(together), complete)


def write(archive: zipfile.ZipFile, listed: Listed) -> None:
    """Add a list to the archive of a `.keras` file that is open for writing."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as arrays:  # not numpy.savez: see files.save_npz
        for name, array in listed._asdict().items():
            with arrays.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    archive.writestr(zipfile.ZipInfo(NAME), content.getvalue())


def read(content: bytes) -> Listed | None:
    """Return the list stored in the content of a `.keras` file, or None without a readable one."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if NAME not in archive.namelist():
            return None
        try:
            with np.load(io.BytesIO(archive.read(NAME)), allow_pickle=False) as stored:
                return Listed(stored["digests"].astype("<u8"), bool(stored["complete"]))
        except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            return None  # written by another program
