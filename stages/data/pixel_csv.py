"""User source: CSV with one row per image, a column `label`, and the pixels in order.

NumPy parses the rows: pandas took 1.5 to 9 times as long (docs/experiments.md, 2026-11-26).
"""

import csv
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.data import arrays, label_file
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = "a CSV file of pixels with a column label, or a folder with train.csv and test.csv"
MAX_LABEL = 100  # characters
INDEX = ("", "index", "id", "imageid", "unnamed: 0")  # columns that are neither pixel nor label


class Header(NamedTuple):
    """The content of a file's first line."""

    delimiter: str
    columns: list[str]
    label: int | None  # its column
    pixels: list[int]  # their columns


def recognises(path: Path, data: Data) -> bool:
    """Return whether this is a .csv file of many columns, or a folder with such a train.csv."""
    table = path / "train.csv" if path.is_dir() else path
    if not table.is_file() or table.suffix.lower() != ".csv":
        return False
    return path.is_dir() or not label_file.recognises(path, data)


def files(path: Path, data: Data) -> list[Path]:
    """Return the file, or train.csv and test.csv of a folder, if they exist."""
    found = [path / name for name in ("train.csv", "test.csv") if (path / name).is_file()]
    return found if path.is_dir() else [path]


def load(path: Path, data: Data) -> Source:
    """Read the file, or train.csv and, if it exists, test.csv; classes are the labels.

    With `data.channels: rgb`, three columns make a pixel. Images are square unless
    `data.image_size` is set. A test.csv without labels, as on Kaggle, is not used.
    """
    if path.is_dir() and not (path / "train.csv").is_file():
        raise UserError(f"{path} has no train.csv; put it there, or name the file itself.")
    first, *others = files(path, data)
    label, notes = _label(first, data), []
    train = _read(first, data, label)
    if others and label.casefold() not in map(str.casefold, _columns(others[0])[1]):
        name = others.pop()
        notes.append(
            f"{name.name} has no column {label!r} and is not used; `python -m stages predict "
            f"{name}` classifies its images."
        )
    tests = (_read(file, data, _label(file, data)) for file in others)
    source = arrays.source(path.name, train, *tests)
    return replace(source, notes=(*notes, *source.notes))


def unlabelled(path: Path, data: Data, shape: Sequence[int]) -> np.ndarray:
    """Return the images of a file without labels, uint8 or float32 (n, height, width, channels).

    A column of labels, as in the training data, is ignored. `shape` is that of an image, whatever
    the settings say: the model may have been trained on image files.
    """
    label = None
    with suppress(UserError):  # no such column
        label = _label(path, data)
    return _read(path, data, label, shape).images


def _read(path: Path, data: Data, label: str | None, shape: Sequence[int] = ()) -> Split:
    """Return images (n, height, width, channels) of uint8 or float32, and labels, int64 or text.

    Labels are empty texts if `label`, the name of their column, is None. Without the `shape` of an
    image, it follows from the settings and the number of columns.
    """
    with _reading(path):
        header = _header(path, label)
        if not header.columns:
            raise UserError(f"{path} is empty; give a line of column names and one row per image.")
        count = len(header.pixels)
        if shape and math.prod(shape) != count:
            sides = "x".join(map(str, shape))
            raise UserError(
                f"{path} has {count:,} columns of pixels, but an image of {sides} (height, width, "
                f"channels) has {math.prod(shape):,}; add or remove columns."
            )
        shape = shape or _shape(path, count, data)
        table = _parse(path, header)
    if not table.size:
        raise UserError(f"{path} has no row of pixels; give one row per image.")
    labels = np.char.strip(table["label"][:, 0]) if label else np.full(len(table), "")
    if np.char.str_len(labels).max() >= MAX_LABEL:
        raise UserError(f"{path} has a label of {MAX_LABEL} characters or more; shorten it.")
    if all(label.removeprefix("-").isdecimal() for label in labels):
        with suppress(ValueError, OverflowError):
            labels = np.array([int(label) for label in labels])
    pixels = np.concatenate([table["before"], table["after"]], axis=1)
    return Split(pixels.reshape(-1, *shape), labels)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what is raised for a file that is not CSV in UTF-8 into a UserError."""
    try:
        yield
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{path} is not CSV ({error}); correct it.") from None


def _columns(path: Path) -> tuple[str, list[str]]:
    """Return the delimiter and the names of the columns, from the first line."""
    with _reading(path):
        delimiter = label_file.delimiter(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter=delimiter), [])
    return delimiter, [name.strip() for name in names]


def _label(path: Path, data: Data) -> str:
    """Return the name of the column of labels."""
    columns = _columns(path)[1]
    if columns and not data.label_column and all(map(_is_number, columns)):
        raise UserError(
            f"{path} has numbers in its first line, which must name the columns, such as label, "
            "pixel0, pixel1; add that line."
        )
    label = label_file.column(path, columns, "label_column", data.label_column)
    if columns.count(label) > 1:
        raise UserError(f"{path} has {columns.count(label)} columns {label!r}; rename one of them.")
    return label


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        return math.isfinite(float(text))
    return False


def _header(path: Path, label: str | None) -> Header:
    delimiter, columns = _columns(path)
    others = [at for at, name in enumerate(columns) if name != label]
    pixels = [at for at in others if columns[at].casefold() not in INDEX]
    return Header(delimiter, columns, None if label is None else columns.index(label), pixels)


def _shape(path: Path, count: int, data: Data) -> tuple[int, int, int]:
    """Return height, width and channels, or raise a UserError about the number of columns."""
    channels = 3 if data.channels == "rgb" else 1
    side = math.isqrt(count // channels)
    height, width = data.image_size or (side, side)
    needed = height * width * channels
    if needed != count or not count:
        raise UserError(
            f"{path} has {count} columns of pixels, but {height} x {width} pixels of {channels} "
            f"{'channels' if channels > 1 else 'channel'} need {needed}; set data.image_size to "
            "[height, width] and data.channels to gray or rgb, remove other columns, or set "
            "data.file_column if one of them names files."
        )
    return height, width, channels


def _parse(path: Path, header: Header) -> np.ndarray:
    """Parse rows to records of pixels `before` the label, `label`, and pixels `after`.

    All pixels are uint8, or float32 if one is not a whole number from 0 to 255.
    """
    label = [] if header.label is None else [header.label]
    before = [at for at in header.pixels if not label or at < label[0]]
    after = header.pixels[len(before) :]
    for kind in (np.uint8, np.float32):
        record = [
            ("before", kind, (len(before),)),
            ("label", f"U{MAX_LABEL}", (len(label),)),
            ("after", kind, (len(after),)),
        ]
        with (
            path.open(encoding="utf-8-sig", newline="") as file,
            warnings.catch_warnings(action="ignore"),  # about a file without rows, refused later
            suppress(ValueError),
        ):
            next(csv.reader(file, delimiter=header.delimiter))
            rows = (_checked(line, header) for line in file if line.strip())
            return np.loadtxt(
                rows, record, comments=None, delimiter=header.delimiter, quotechar='"', ndmin=1,
                usecols=[*before, *label, *after],
            )  # fmt: skip
    raise UserError(f"{path} {_fault(path, header)}; correct it there.")


def _checked(line: str, header: Header) -> str:
    """Return a line; ValueError if it has more cells than the header, which NumPy would ignore."""
    if line.count(header.delimiter) >= len(header.columns):  # perhaps within quotes
        (cells,) = csv.reader([line], delimiter=header.delimiter)
        if len(cells) > len(header.columns):
            raise ValueError
    return line


def _fault(path: Path, header: Header) -> str:
    """Return which row is invalid, counted from 1 below the header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=header.delimiter)
        rows = (cells for cells in reader if "".join(cells).strip())
        next(rows)
        for number, cells in enumerate(rows, 1):
            if len(cells) != len(header.columns):
                columns = len(header.columns)
                return f"has {len(cells)} cells in row {number}, but the header has {columns}"
            for at in header.pixels:
                try:
                    float(cells[at])
                except ValueError:
                    column = header.columns[at]
                    return (
                        f"has {cells[at][:40]!r} in row {number}, column {column!r}, not a number"
                    )
    return "has a row that cannot be read"
