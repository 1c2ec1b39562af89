"""Which trainings a test set has scored: a ledger that only grows, kept by Git.

A test set that chose nothing is honest. Whoever chooses by its scores makes them optimistic, the
more so the more trainings it has scored, and nobody remembers how many these were.
"""

import csv
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from stages.files import damaged, write_table

LEDGER = Path("results/test_set_uses.csv")
LOCK = Path(".foldlab/running/test_set_uses.lock")
SHA256 = re.compile("[0-9a-f]{64}")


class Use(NamedTuple):
    """One line: a test set, and a model that it has scored; its fields are the columns."""

    test_sha256: str
    variant: str
    model_sha256: str


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Return the SHA-256, in hexadecimal, of a test set.

    Args:
        images: uint8 (n, height, width, channels).
        labels: int64 (n,).
    """
    sha256 = hashlib.sha256()
    for array in (images, labels):
        sha256.update(repr((array.dtype.str, array.shape)).encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def note(uses: Iterable[Use]) -> set[Use]:
    """Add to the ledger those of these uses that it lacks, and return all that it then holds.

    Several processes may do so at once. The same uses give the same bytes in any order, and lines
    that Git has merged are sorted again.

    Raises:
        UserError: when the ledger holds what is no line of it.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(LOCK):
        every = _read() | {*uses}
        write_table(LEDGER, Use._fields, sorted(every))
    return every


def _read() -> set[Use]:
    if not LEDGER.exists():
        return set()
    with LEDGER.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = {tuple(cells) for cells in csv.reader(file)} - {Use._fields, ()}
    for cells in lines:
        if len(cells) != len(Use._fields) or not all(map(SHA256.fullmatch, cells[::2])):
            raise damaged(LEDGER, f"with the line {','.join(cells)[:80]!r}")
    return {Use(*cells) for cells in lines}
