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

from stages.errors import UserError, unwritable

PARTIAL = ".partial-"  # prefix of the names of temporary files


def root() -> Path:
    """Return the repository's folder, even inside one of DVC's temporary experiments."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def find(name: str) -> Path:
    """Resolve a path of params.yaml in the working folder or else in the repository's folder.

    The two differ only in DVC's temporary experiments. There the working folder contains the files
    that Git and DVC track, as of when the experiment was queued. A path that exists in neither
    folder is resolved in the repository's.
    """
    path = os.path.expanduser(name)
    here = Path.cwd() / path
    return here if os.path.exists(here) else root() / path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block succeeds.

    The temporary file is in the same folder and has the same suffix, since some writers choose the
    format by it. After an exception it is removed and `path` is unchanged. Temporary files left by
    killed processes are removed by the next write to the folder.

    Raises:
        UserError: when the system does not allow `path` to be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, temporary = _create_temporary(path)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield temporary
        temporary.chmod(0o644)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except BaseException as error:
        with suppress(OSError):  # this may fail as well
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(temporary)) and error.errno:
            raise unwritable(path, error) from None
        raise
    finally:
        os.close(handle)


def _flush(path: Path) -> None:
    """Flush a file's content, or a folder's entries, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the sorted paths in a folder that match `pattern`, without temporary files.

    A folder that does not exist gives an empty list.
    """
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith(PARTIAL))


def check_writable(folder: Path) -> None:
    """Check that files can be created in a folder, before anything costly runs.

    Raises:
        UserError: when `folder` cannot be written to or created.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        tempfile.TemporaryFile(prefix=PARTIAL, dir=existing).close()
    except OSError as error:
        raise unwritable(folder, error) from None


def _create_temporary(path: Path) -> tuple[int, Path]:
    """Create a temporary file in the folder of `path`, locked until closed or this process ends."""
    while True:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # not removed by `_sweep` before it was locked
            return handle, Path(name)
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that have ended, which are no longer locked."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON with a final newline; numbers keep full precision."""
    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def damaged(path: Path, reason: object) -> UserError:
    """Return the error to raise for a damaged file that a stage has written."""
    return UserError(f"{path} is damaged ({reason}); delete it and run `dvc repro`.")


def existing(path: Path, stage: str) -> Path:
    """Return `path`.

    Raises:
        UserError: when it does not exist; names the stage that writes it, such as `train@basic`.
    """
    if not path.exists():
        raise UserError(f"{path.as_posix()} is missing; run `dvc repro {stage}` first.")
    return path


def require(path: Path, content: Container[str], keys: Iterable[str]) -> None:
    """Check that `content`, which was read from `path`, has all the keys.

    Raises:
        UserError: when a key is missing; names the file and the key.
    """
    for key in keys:
        if not isinstance(content, Container) or key not in content:
            raise damaged(path, f"{key} is missing")


def read_json(path: Path, keys: Iterable[str] = ()) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: when it is not JSON, or not an object with these keys.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise damaged(path, error) from None
    require(path, content, keys)
    return content


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the named arrays of an .npz file.

    Raises:
        UserError: when the file is not an .npz file, is damaged, or lacks one of the arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, error) from None


def read_array(path: Path) -> np.ndarray:
    """Return the array of an .npy file, memory-mapped read-only.

    Raises:
        UserError: when the file is not an .npy file, or is damaged.
    """
    try:
        return np.lib.format.open_memmap(path, "r")
    except ValueError as error:
        raise damaged(path, error) from None


def read_dataset(prepared: Path) -> dict[str, Any]:
    """Return the content of dataset.json in the folder of the prepared data.

    Raises:
        UserError: when the file is missing or damaged.
    """
    path = prepared / "dataset.json"
    if not path.is_file():
        raise UserError(f"{path.as_posix()} is missing; run `dvc repro prepare` first.")
    return read_json(path)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file with a header; floats keep full precision."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_table(path: Path, columns: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of a CSV file as dictionaries; numeric columns become int or float.

    A column is converted only if all of its cells are numbers, so that class names such as "7"
    and "seven" in one column remain text.

    Raises:
        UserError: when the file is not CSV, a line is longer or shorter than the header, or one of
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
