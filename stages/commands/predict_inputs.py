"""What `python -m stages predict` classifies: image files, folders, and CSV files of pixels."""

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.data import arrays, listing, picture, pixel_csv
from stages.data.source import nearly_black
from stages.errors import UserError
from stages.settings import params
from stages.settings.sections import Data

BYTES = 2**29  # of images that are in memory at a time


def blocks(
    given: Sequence[str], dataset: Mapping[str, Any], failed: list[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Read images in blocks that fit in memory: name -> pixels, uint8 (height, width, channels).

    A name is the path of a file, or that of a CSV file and the number of a row, from 1. A file that
    cannot be classified is appended to `failed`, and one sentence about it is printed to stderr.
    """
    prepared = {key: dataset[key] for key in ("resize", "background") if key in dataset}
    data = params.load().data.model_copy(update=prepared)  # as the model was trained
    files = _named(_files(map(Path, given), data), failed)
    size = max(1, BYTES // math.prod(dataset["image_shape"]))
    tables = [file for file in files if file.suffix.lower() == ".csv"]
    pictures = [file for file in files if file not in tables]
    for start in range(0, len(pictures), size):
        yield _read(pictures[start : start + size], _picture, dataset, data, failed)
    for table in tables:
        rows = _read([table], _rows, dataset, data, failed).get(str(table), ())
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            yield {f"{table} row {start + at}": image for at, image in enumerate(block, 1)}


def _files(given: Iterable[Path], data: Data) -> list[Path]:
    """Return files as they are, and those below folders, sorted, that may be images.

    In folders, hidden files and those known not to be images are ignored, as in training.
    """
    files: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            below = sorted(path.joinpath(*parts) for parts in listing.walk(path, data)[1])
            files |= dict.fromkeys(below)
        else:
            files[path] = None
    return list(files)


def _named(files: Iterable[Path], failed: list[str]) -> list[Path]:
    """Return the files whose names are UTF-8, as in training; append the others to `failed`."""
    named = []
    for file in files:
        if listing.is_utf8(str(file)):
            named.append(file)
            continue
        shown = os.fsencode(file).decode("utf-8", "backslashreplace")
        failed.append(shown)
        print(f"foldlab: {shown} has a name that is not UTF-8; rename it.", file=sys.stderr)
    return named


def _read(
    files: Iterable[Path], reader: Any, dataset: Mapping[str, Any], data: Data, failed: list[str]
) -> dict[str, np.ndarray]:
    found = {}
    for file in files:
        try:
            found[str(file)] = reader(file, dataset, data)
        except UserError as error:
            failed.append(str(file))
            print(f"foldlab: {error}", file=sys.stderr)
    return found


def _picture(file: Path, dataset: Mapping[str, Any], data: Data) -> np.ndarray:
    """Return the pixels of an image file as the model takes them."""
    bits = dataset.get("bits", 16)
    if not picture.is_digits(dataset):
        return picture.as_trained(file, dataset["image_shape"], data, bits)
    image = picture.read(file, data, bits)
    try:
        return picture.as_digit(image)
    except UserError as error:
        raise UserError(f"{file} {error}; give a picture of one digit.") from None


def _rows(table: Path, dataset: Mapping[str, Any], data: Data) -> np.ndarray:
    """Return all images of a CSV file of pixels, uint8 (n, height, width, channels)."""
    try:
        stored = pixel_csv.unlabelled(table, data, tuple(dataset["image_shape"]))
    except OSError as error:
        raise UserError(
            f"{table} cannot be opened ({error.strerror}); give a CSV file of pixels."
        ) from None
    (images,), _, notes = arrays.as_bytes([stored], dataset.get("pixel_range", ()))
    for note in notes:
        print(f"{table}: {note}", file=sys.stderr)
    with np.errstate(invalid="ignore"):  # NaN differs from any whole number
        whole = images.astype(np.uint8)
    if (whole != images).any():
        raise UserError(
            f"{table} has pixels from {images.min():g} to {images.max():g}; give pixels "
            "from 0 to 255, or in the range of the training data."
        )
    for note in nearly_black(whole):
        print(f"{table}: {note}", file=sys.stderr)
    return whole
