"""User source: CSV with one row per image, a column `label`, and the pixels in order.

NumPy parses the rows: pandas took 1.5 to 9 times as long (docs/experiments.md, 2026-11-26).
"""

import csv
import math
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from stages.data import arrays
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = "a CSV file of pixels with a column label, or a folder with train.csv and test.csv"
LABEL = "label"
MAX_LABEL = 100  # characters


def recognises(path: Path) -> bool:
    """Return whether this is a file with the suffix .csv, or a folder with train.csv."""
    return (path / "train.csv").is_file() or (path.is_file() and path.suffix.lower() == ".csv")


def files(path: Path) -> list[Path]:
    """Return train.csv and test.csv, if they exist."""
    return [path / name for name in ("train.csv", "test.csv") if (path / name).is_file()]


def load(path: Path, data: Data) -> Source:
    """Read the file, or train.csv and, if it exists, test.csv; classes are the labels.

    With `data.channels: rgb`, three columns make a pixel. Images are square unless
    `data.image_size` is set.
    """
    if path.is_dir() and not (path / "train.csv").is_file():
        raise UserError(f"{path} has no train.csv; put it there, or name the file itself.")
    paths = files(path) if path.is_dir() else [path]
    return arrays.source(path.name, *(_read(file, data) for file in paths))


def _read(path: Path, data: Data) -> Split:
    """Return images (n, height, width, channels) of uint8 or float32, and labels, int64 or text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = [name.strip() for name in next(csv.reader(file), [])]
        shape = _shape(path, columns, data)
        table = _parse(path, columns)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{path} is not CSV ({error}); correct it.") from None
    if not table.size:
        raise UserError(f"{path} has no row of pixels; give one row per image.")
    labels = np.char.strip(table[LABEL])
    if np.char.str_len(labels).max() >= MAX_LABEL:
        raise UserError(f"{path} has a label of {MAX_LABEL} characters or more; shorten it.")
    with suppress(ValueError, OverflowError):
        labels = np.array([int(label) for label in labels])
    pixels = np.concatenate([table["before"], table["after"]], axis=1)
    return Split(pixels.reshape(-1, *shape), labels)


def _shape(path: Path, columns: list[str], data: Data) -> tuple[int, int, int]:
    """Return height, width and channels, or raise a UserError about the header."""
    if columns.count(LABEL) != 1:
        shown = ", ".join(map(repr, columns[:5]))
        raise UserError(
            f"{path} begins with the columns {shown or 'none'}, of which {columns.count(LABEL)} "
            f"are named {LABEL!r}; name the columns in the first line, one of them {LABEL}."
        )
    channels, count = 3 if data.channels == "rgb" else 1, len(columns) - 1
    side = math.isqrt(count // channels)
    height, width = data.image_size or (side, side)
    needed = height * width * channels
    if needed != count or not count:
        raise UserError(
            f"{path} has {count} columns of pixels, but {height} x {width} pixels with {channels} "
            f"per pixel need {needed}; set data.image_size to [height, width] and data.channels to "
            "gray or rgb, or leave out other columns."
        )
    return height, width, channels


def _parse(path: Path, columns: list[str]) -> np.ndarray:
    """Parse rows to records of pixels `before` the label, `label`, and pixels `after`.

    All pixels are uint8, or float32 if one is not a whole number from 0 to 255.
    """
    at = columns.index(LABEL)
    after = len(columns) - 1 - at
    for kind in (np.uint8, np.float32):
        record = [("before", kind, (at,)), (LABEL, f"U{MAX_LABEL}"), ("after", kind, (after,))]
        with (
            path.open(encoding="utf-8-sig", newline="") as file,
            warnings.catch_warnings(action="ignore"),  # about no rows, which are refused later
            suppress(ValueError),
        ):
            next(csv.reader(file))
            rows = (line for line in file if line.strip())
            return np.loadtxt(rows, record, comments=None, delimiter=",", quotechar='"', ndmin=1)
    raise UserError(f"{path} {_fault(path, columns)}; correct it there.")


def _fault(path: Path, columns: list[str]) -> str:
    """Return which row is invalid, counted from 1 below the header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = (cells for cells in csv.reader(file) if "".join(cells).strip())
        next(rows)
        for number, cells in enumerate(rows, 1):
            if len(cells) != len(columns):
                return f"has {len(cells)} cells in row {number}, but the header has {len(columns)}"
            for name, cell in zip(columns, cells, strict=True):
                try:
                    name == LABEL or float(cell)
                except ValueError:
                    return f"has {cell[:40]!r} in row {number}, column {name!r}, not a number"
    return "has a row that cannot be read"
