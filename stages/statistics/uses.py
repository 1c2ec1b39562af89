"""The ledger of test-set uses, an append-only table in Git: which models a test set has scored.

Choosing a model by its test score makes that score optimistic, the more so the more models were
scored. Nobody remembers how many they were, so the ledger does.
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
    """One row of the ledger: a test set and a model that it scored. The fields are the columns."""

    test_sha256: str
    variant: str
    model_sha256: str


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Return the SHA-256 of a test set, in hexadecimal.

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
    """Add new uses to the ledger and return all of its rows.

    Safe for concurrent processes. The rows are sorted, so the bytes do not depend on the order of
    calls, and rows that Git merged are sorted again.

    Raises:
        UserError: when the ledger has an invalid row.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(LOCK):
        rows = _read() | {*uses}
        write_table(LEDGER, Use._fields, sorted(rows))
    return rows


def _read() -> set[Use]:
    if not LEDGER.exists():
        return set()
    with LEDGER.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = {tuple(cells) for cells in csv.reader(file)} - {Use._fields, ()}
    for cells in lines:
        if len(cells) != len(Use._fields) or not all(map(SHA256.fullmatch, cells[::2])):
            raise damaged(LEDGER, f"with the line {','.join(cells)[:80]!r}")
    return {Use(*cells) for cells in lines}
