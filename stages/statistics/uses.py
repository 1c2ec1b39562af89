"""The ledger of test-set uses, an append-only table in Git: the models scored on each test set.

Choosing a model by its test score makes that score optimistic, the more so the more models were
scored. Nobody remembers how many there were, so the ledger does.
"""

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
ROW = re.compile("[0-9a-f]{64},[^,]+,[0-9a-f]{64}")


class Use(NamedTuple):
    """One row of the ledger: a test set and a model scored on it. The fields are the columns."""

    test_sha256: str
    variant: str
    model_sha256: str


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Return the SHA-256 of a test set's dtypes, shapes and values, in hexadecimal."""
    sha256 = hashlib.sha256()
    for array in (images, labels):
        sha256.update(repr((array.dtype.str, array.shape)).encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def note(uses: Iterable[Use]) -> set[Use]:
    """Add new uses to the ledger and return all of its rows; safe for concurrent processes.

    The rows are sorted, so the bytes do not depend on the order of calls, and rows that Git merged
    are sorted again. An invalid row raises UserError.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(LOCK):
        rows = {*uses}
        text = LEDGER.read_text("utf-8", errors="replace") if LEDGER.exists() else ""
        for line in {*text.splitlines()} - {"", ",".join(Use._fields)}:
            if not ROW.fullmatch(line):
                raise damaged(LEDGER, f"with the line {line[:80]!r}")
            rows.add(Use(*line.split(",")))
        write_table(LEDGER, Use._fields, sorted(rows))
    return rows
