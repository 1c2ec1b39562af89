"""User source: CSV with one row per image, a column `label`, and the pixels in order.

NumPy parses the rows: pandas took 1.5 to 9 times as long (docs/experiments.md, 2026-11-26).
"""

import csv
import itertools
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.data import arrays
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = "a CSV file of pixels with a column label, or a folder with train.csv and test.csv"
LABEL = "label"
LINES = 1000  # parsed at once
MAX_LABEL = 100  # characters


def recognises(path: Path) -> bool:
    """Return whether this is a file with the suffix .csv, or a folder with train.csv."""
    if path.is_dir():
        return (path / "train.csv").is_file()
    return path.is_file() and path.suffix.lower() == ".csv"


def files(path: Path) -> list[Path]:
    """Return the file itself, or train.csv and, if it exists, test.csv."""
    if not path.is_dir():
        return [path]
    return [path / name for name in ("train.csv", "test.csv") if (path / name).is_file()]


def load(path: Path, data: Data) -> Source:
    """Read the file, or train.csv and, if it exists, test.csv; classes are the labels.

    Pixels are in row-major order; with `data.channels: rgb`, three columns make a pixel. Images are
    square unless `data.image_size` is set.

    Raises:
        UserError: when a file is missing or is not such a table; the message gives the row.
        OSError: when it cannot be read.
    """
    if not path.is_dir():
        return arrays.source(path.stem, _read(path, data), None)
    train, test = path / "train.csv", path / "test.csv"
    if not train.is_file():
        raise UserError(f"{path} has no train.csv; put it there, or name the file itself.")
    pairs = _read(train, data), _read(test, data) if test.is_file() else None
    return arrays.source(path.name, *pairs)


def _read(path: Path, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Read one table.

    Returns:
        Images (n, height, width, channels), uint8 if all pixels fit, else float32, and labels,
        int64 or text (n,).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = [name.strip() for name in next(csv.reader(file), [])]
            rows = sum(1 for line in file if line.strip())
        shape = _shape(path, columns, rows, data)
        with path.open(encoding="utf-8-sig", newline="") as file:
            next(csv.reader(file))
            pixels, labels = _table(path, file, columns, rows)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{path} is not CSV ({error}); correct it.") from None
    return pixels.reshape(-1, *shape), labels


def _shape(path: Path, columns: list[str], rows: int, data: Data) -> tuple[int, int, int]:
    """Return height, width and channels, or raise a UserError about the header."""
    if columns.count(LABEL) != 1:
        shown = ", ".join(map(repr, columns[:5]))
        raise UserError(
            f"{path} begins with the columns {shown or 'none'}, of which {columns.count(LABEL)} "
            f"are named {LABEL!r}; name the columns in the first line, one of them {LABEL}."
        )
    channels = 3 if data.channels == "rgb" else 1
    count = len(columns) - 1
    side = math.isqrt(count // channels)
    height, width = data.image_size or (side, side)
    if height * width * channels != count or not count:
        raise UserError(
            f"{path} has {count} columns of pixels, but {height} x {width} pixels of {channels} "
            f"{'channels' if channels > 1 else 'channel'} need {height * width * channels}; set "
            "data.image_size to [height, width] and data.channels to gray or rgb, or leave out "
            "other columns."
        )
    if not rows:
        raise UserError(f"{path} has no row of pixels; give one row per image.")
    return height, width, channels


def _table(
    path: Path, file: Iterator[str], columns: list[str], rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read the rows below the header into one array, some lines at a time."""
    at = columns.index(LABEL)
    pixels = np.empty((rows, len(columns) - 1), np.uint8)
    labels = []
    not_blank = (line for line in file if line.strip())
    while lines := list(itertools.islice(not_blank, LINES)):
        parts = _parse(lines, at, len(columns), pixels.dtype)
        if parts is None and pixels.dtype == np.uint8:
            pixels = pixels.astype(np.float32)
            parts = _parse(lines, at, len(columns), pixels.dtype)
        if parts is None:
            raise UserError(f"{path} {_fault(lines, columns, len(labels))}; correct it there.")
        start = len(labels)
        pixels[start : start + len(lines), :at] = parts["before"]
        pixels[start : start + len(lines), at:] = parts["after"]
        labels += [label.strip() for label in parts[LABEL].tolist()]
    longest = max(map(len, labels))
    if longest >= MAX_LABEL:
        raise UserError(f"{path} has a label of {MAX_LABEL} characters or more; shorten it.")
    try:
        return pixels, np.array([int(label) for label in labels])
    except (ValueError, OverflowError):
        return pixels, np.array(labels)


def _parse(lines: list[str], at: int, columns: int, kind: np.dtype) -> np.ndarray | None:
    """Parse lines to records of `before` the label, `label`, `after`; None if a line is invalid."""
    fields = [
        ("before", kind, (at,)),
        (LABEL, f"U{MAX_LABEL}"),
        ("after", kind, (columns - 1 - at,)),
    ]
    record = np.dtype(fields)
    with warnings.catch_warnings():
        # Fail on numbers such as 1.0, so that they are parsed as floats instead.
        warnings.filterwarnings("error", "loadtxt.*integer via a float", DeprecationWarning)
        try:
            return np.loadtxt(lines, record, comments=None, delimiter=",", quotechar='"', ndmin=1)
        except (ValueError, OverflowError, DeprecationWarning):
            return None


def _fault(lines: list[str], columns: list[str], before: int) -> str:
    """Return which row is invalid; `before` is the number of rows before these lines."""
    for number, line in enumerate(lines, before + 1):
        cells = next(csv.reader([line]))
        if len(cells) != len(columns):
            return f"has {len(cells)} cells in row {number}, but the header has {len(columns)}"
        for name, cell in zip(columns, cells, strict=True):
            try:
                name == LABEL or float(cell)
            except ValueError:
                return f"has {cell[:40]!r} in row {number}, column {name!r}, which is not a number"
    return f"has a row that cannot be read from row {before + 1} on"
