"""Files of the pipeline: paths, atomic writes, and reading that reports damage in one sentence."""

import csv
import fcntl
import hashlib
import json
import math
import os
import tempfile
import zipfile
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stages.errors import UserError, unwritable

PREPARED = Path("data/prepared")
RESULTS = Path("results")
PARTIAL = ".partial-"  # prefix of the names of temporary files
# What parsers of CSV, JSON and NumPy files raise for damaged files and missing arrays.
DAMAGE = (csv.Error, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)


def root() -> Path:
    """Return the repository's folder, even inside one of DVC's temporary experiments."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def find(name: str) -> Path:
    """Resolve a path of params.yaml in the working folder or else in the repository's folder.

    The two differ only in DVC's temporary experiments, where the working folder contains what Git
    and DVC track. A path that exists in neither folder is resolved in the repository's.
    """
    path = os.path.expanduser(name)
    here = Path.cwd() / path
    return here if os.path.exists(here) else root() / path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block succeeds.

    The temporary file is in the same folder and has the same suffix, by which some writers choose
    the format. After an exception it is removed. The next write to the folder removes those that
    killed processes left behind.

    Raises:
        UserError: when the system does not allow `path` to be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
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


def _create_temporary(path: Path) -> tuple[int, Path]:
    """Create a temporary file in the folder of `path`, locked until closed or this process ends."""
    while True:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # no other process removed it before it was locked
            return handle, Path(name)
        os.close(handle)


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes that have ended, which are no longer locked."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the sorted paths in a folder, if it exists, without temporary files."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith(PARTIAL))


def check_writable(folder: Path) -> None:
    """Raise UserError when a folder cannot be written to or created."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        tempfile.TemporaryFile(prefix=PARTIAL, dir=existing).close()
    except OSError as error:
        raise unwritable(folder, error) from None


def scratch(shape: Sequence[int]) -> np.ndarray:
    """Return a uint8 array of zeros in an unnamed file in `.foldlab`, so that it may exceed memory.

    Raises:
        UserError: when the disk has no room for it, before anything is written.
    """
    folder = root() / ".foldlab"
    size = math.prod(shape)
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(prefix=PARTIAL, dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # otherwise a full disk would raise SIGBUS later
                os.posix_fallocate(file.fileno(), 0, max(size, 1))
            return np.asarray(np.memmap(file, np.uint8, "w+", shape=tuple(shape)))
    except OSError as error:
        raise unwritable(folder, error) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON with a final newline; numbers keep full precision."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file with a header; floats keep full precision."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an uncompressed `.npz` file."""
    with replacing(path) as temporary:
        save_npz(temporary, arrays)


def save_npz(file: Path | BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz` file like `numpy.savez`, but with the same bytes on every release of Python.

    NumPy forces ZIP64 headers, which Python has written differently since 3.11.4.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # the default date is 1980
            member.file_size = np.asarray(array).nbytes + 2**16  # at most: ZIP64 above 2 GiB
            with archive.open(member, "w") as content:
                np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)


def write_blocks(
    path: Path, dtype: np.dtype, shape: tuple[int, ...], blocks: Iterable[np.ndarray]
) -> None:
    """Write an array, given in blocks of rows, to an `.npy` file.

    The file is not memory-mapped, because a full disk would then raise SIGBUS, not an OSError.
    """
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)


def existing(path: Path, stage: str) -> Path:
    """Return `path`.

    Raises:
        UserError: when it does not exist; names the stage that writes it, such as `train@basic`.
    """
    if not path.exists():
        raise UserError(f"{path.as_posix()} is missing; run `dvc repro {stage}` first.")
    return path


def damaged(path: Path, reason: object) -> UserError:
    """Return the error to raise for a damaged file that a stage has written."""
    return UserError(f"{path} is damaged ({reason}); delete it and run `dvc repro`.")


def require(path: Path, content: Container[str], keys: Iterable[str]) -> None:
    """Raise UserError, with the file and the key, unless its `content` has all the keys."""
    for key in keys:
        if not isinstance(content, Container) or key not in content:
            raise damaged(path, f"{key} is missing")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what parsers raise for a damaged file into a UserError."""
    try:
        yield
    except DAMAGE as error:
        raise damaged(path, error) from None


def read_json(path: Path, keys: Iterable[str] = ()) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: when it is not JSON, or not an object with these keys.
    """
    with _reading(path):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    require(path, content, keys)
    return content


def read_dataset(prepared: Path) -> dict[str, Any]:
    """Return the content of dataset.json in the folder of the prepared data; see `read_json`."""
    return read_json(existing(prepared / "dataset.json", "prepare"))


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return named arrays of an .npz file; raises UserError when one is missing or damaged."""
    with _reading(path), np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in names}


def read_array(path: Path) -> np.ndarray:
    """Return the array of an .npy file, memory-mapped; raises UserError when it is damaged."""
    with _reading(path):
        return np.lib.format.open_memmap(path, "r")


def read_prepared(*names: str) -> list[np.ndarray]:
    """Return arrays of the prepared data, such as `test_images`; see `existing`, `read_array`."""
    return [read_array(existing(PREPARED / f"{name}.npy", "prepare")) for name in names]


def read_table(
    path: Path, columns: Iterable[str] = (), text: Container[str] = ()
) -> list[dict[str, Any]]:
    """Return the rows of a CSV file as dictionaries; numeric columns become int or float.

    A column is converted only if all of its cells are numbers and it is not in `text`: the columns
    of class and file names, such as "01".

    Raises:
        UserError: when the file is not CSV, a line is longer or shorter than the header, or one of
            `columns` is missing.
    """
    with _reading(path), Path(path).open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file) if line]
        if len({len(line) for line in lines}) > 1:
            raise ValueError("its lines have different numbers of cells")
    table = {
        name: cells if name in text else _numbers(cells)
        for name, *cells in zip(*lines, strict=True)
    }
    require(path, table, columns)
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def _numbers(cells: Sequence[str]) -> Sequence[Any]:
    """Return all cells as int, or else all as float, or else unchanged."""
    for convert in (int, float):
        with suppress(ValueError):
            return [convert(cell) for cell in cells]
    return cells
