"""Atomic writes: write to a temporary file, flush it to disk, then rename."""

import csv
import fcntl
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from stages.entry import unwritable
from stages.errors import UserError

PARTIAL = ".partial-"  # what the name of a file begins with while it is written


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends well.

    The temporary name keeps the suffix, since some writers choose the format by it. After an
    exception neither the temporary file nor any change to `path` remains. What a killed process
    has left in the folder goes with the next writing there.

    Raises:
        OSError: when the disk is full or refuses, in one sentence that names `path`.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, beside = _begun(path)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield beside
        beside.chmod(0o644)
        _flush(beside)
        beside.replace(path)
        _flush(path.parent)
    except BaseException as error:
        with suppress(OSError):  # the disk may take nothing any more, not even this
            beside.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(beside)) and error.errno:
            raise unwritable(path, error) from None
        raise
    finally:
        os.close(handle)


def _flush(path: Path) -> None:
    """Have the disk hold a file's content, or a folder's names, before anything builds on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """Return what of a folder fits `pattern`, in order; nothing of a folder that is not there.

    What is written at this moment, or was when its writer was killed, is not there yet.
    """
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith(PARTIAL))


def check_writable(folder: Path) -> None:
    """Refuse a folder that takes no file, before anything costly runs; leave nothing there.

    Raises:
        OSError: when nothing can be written to `folder`, or it cannot be made.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        tempfile.TemporaryFile(prefix=PARTIAL, dir=there).close()
    except OSError as error:
        raise unwritable(folder, error) from None


def _begun(path: Path) -> tuple[int, Path]:
    """Make a temporary file beside `path`, locked as long as this process lives: no leftover."""
    while True:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # nobody took it for a leftover before it was locked
            return handle, Path(name)
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that are no more: the system freed their locks."""
    for left in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON with a final newline; numbers keep full precision."""
    with replacing(path) as beside:
        beside.write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def damaged(path: Path, why: object) -> UserError:
    """Return the refusal of a file that a stage has written and something else has changed."""
    return UserError(f"{path} is damaged ({why}); delete it and run `dvc repro`.")


def require(path: Path, content: Container[str], keys: Iterable[str]) -> None:
    """Refuse the file at `path` where `content`, which was read from it, lacks one of the keys.

    Raises:
        UserError: names the file and what is missing.
    """
    for key in keys:
        if not isinstance(content, Container) or key not in content:
            raise damaged(path, f"without {key}")


def read_json(path: Path, keys: Iterable[str] = ()) -> Any:
    """Return what the JSON file at `path` holds.

    Raises:
        UserError: when it is no JSON, or no object with these keys.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # neither UTF-8 nor JSON
        raise damaged(path, error) from None
    require(path, content, keys)
    return content


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the arrays of these names that an .npz file holds.

    Raises:
        UserError: when it is no such file, is torn, or lacks one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, error) from None


def read_array(path: Path) -> np.ndarray:
    """Return the array of an .npy file, mapped: read as it is looked at.

    Raises:
        UserError: when it is no such file, or is torn.
    """
    try:
        return np.lib.format.open_memmap(path, "r")
    except ValueError as error:
        raise damaged(path, error) from None


def read_dataset(prepared: Path) -> dict[str, Any]:
    """Return the content of dataset.json in the folder of the prepared data.

    Raises:
        UserError: when nothing is prepared there.
    """
    path = prepared / "dataset.json"
    if not path.is_file():
        raise UserError(f"{path.as_posix()} is missing; run `dvc repro prepare` first.")
    return read_json(path)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file with a header; floats are written so that reading gives the same bits."""
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_table(path: Path, columns: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of a CSV file as dictionaries; cells that are numbers become int or float.

    A column is converted only when each of its cells is a number, so class names such as "7" in
    a column with "seven" stay text.

    Raises:
        UserError: when it is no table, a line is longer or shorter than the header, or one of
            `columns` is missing.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            header, rows = reader.fieldnames or (), list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise damaged(path, error) from None
    require(path, header, columns)
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise damaged(path, f"row {number} has more or fewer cells than the header")
    for column in rows[0] if rows else ():
        for convert in (int, float):
            try:
                values = [convert(row[column]) for row in rows]
            except ValueError:
                continue
            for row, value in zip(rows, values, strict=True):
                row[column] = value
            break
    return rows
