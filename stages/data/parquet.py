"""User source: parquet files with encoded images and labels, as in Hugging Face's data sets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL.Image import Image

from stages.data import arrays, decode, image_folder, label_file, listing, split_folders
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = "a .parquet file with encoded images and a column label, or a folder of such files"
IMAGE = ("image", "img")  # the column of images, if several could be
NAMED = True  # its images have names, though they are not separate files


def recognises(path: Path, data: Data) -> bool:
    """Return whether this is a file with the suffix .parquet, or a folder with one."""
    return path.suffix.lower() == ".parquet" if path.is_file() else bool([*path.glob("*.parquet")])


def files(path: Path, data: Data) -> list[Path]:
    """Return the parquet files."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def load(path: Path, data: Data) -> Source:
    """Read all images."""
    found, opened = contents(path, data)
    return image_folder.read(path, found, data, opened)


def contents(path: Path, data: Data) -> tuple[listing.Listing, Callable[[str], Image]]:
    """Return the images by split and class, and a function that opens one by its name, `FILE/ROW`.

    A file whose name has the word `test` has test images; those of validation go where
    `data.validation` says. Classes are the labels, by the names in Hugging Face's metadata if there
    are any.
    """
    encoded: dict[str, Any] = {}
    found: list[tuple[str, str, str]] = []
    notes = []
    for file in files(path, data):
        word = split_folders.split_in(file.stem) or "train"
        split = data.validation if word == "validation" else word
        if word == "validation":
            notes.append(f"{file.name}: {split_folders.VALIDATION[split]}.")
        if split == "ignore":
            continue
        images, labels = _columns(file, data)
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            name = f"{file.name}/{row:06}"
            encoded[name] = image
            found.append((split, str(label), name))
    if "train" not in {split for split, *_ in found}:
        raise UserError(
            f"{path} has no training image; give a .parquet file of them, whose name does not say "
            "test or validation."
        )
    classes = tuple(sorted({label for _, label, _ in found}, key=label_file.order))
    number = {name: index for index, name in enumerate(classes)}
    rows = [(split, number[label], name) for split, label, name in found]
    rows.sort(key=lambda row: (row[0] == "test", row))
    what = listing.Listing(classes, (), rows, {}, (*notes, *listing.alike(classes)))
    return what, lambda name: decode.parsed(encoded[name].as_py())


def _columns(path: Path, data: Data) -> tuple[pa.ChunkedArray, list[Any]]:
    """Return the encoded images of a file and their labels, see `stages.data.arrays.names`."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if getattr(error, "errno", None):  # of the system, not of pyarrow
            raise
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} is not a parquet file ({reason}); correct or remove it.") from None
    label = label_file.column(path, table.column_names, "label_column", data.label_column)
    if pa.types.is_nested(table[label].type):
        raise UserError(
            f"{path} has labels of type {table[label].type} in {label!r}; give one label per row, "
            "or set data.label_column to another column."
        )
    images = _images(path, table.drop_columns(label))
    labels = table[label].to_pylist()
    if None in labels or images.null_count:
        raise UserError(f"{path} has a row without an image or a label; remove it.")
    metadata = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = metadata.get("info", {}).get("features", {}).get(label)
    if names := feature.get("names") if isinstance(feature, dict) else None:
        if unknown := [value for value in labels if value not in range(len(names))]:
            raise UserError(
                f"{path} has the label {unknown[0]!r}, and its metadata names {len(names)} "
                "classes, from 0; remove that row, or the file if its images have no labels."
            )
        labels = [names[int(value)] for value in labels]
    return images, arrays.names(np.array(labels), f"{path}'s").tolist()


def _images(path: Path, table: pa.Table) -> pa.ChunkedArray:
    """Return the column of encoded images; if there are several, the one named image or img."""
    found = {}
    for name in table.column_names:
        images = table[name]  # in chunks, because one array holds at most 2 GiB
        if pa.types.is_struct(images.type) and "bytes" in {field.name for field in images.type}:
            images = pc.struct_field(images, ["bytes"])
        if pa.types.is_binary(images.type) or pa.types.is_large_binary(images.type):
            found[name] = images
    if not found:
        shown = ", ".join(map(repr, table.column_names[:8]))
        raise UserError(f"{path} has no column of encoded images, only {shown}; add one.")
    named = [name for wanted in IMAGE for name in found if name.casefold() == wanted]
    if len(found) > 1 and not named:
        shown = ", ".join(map(repr, found))
        raise UserError(
            f"{path} has {len(found)} columns of encoded images, {shown}; name the right one "
            "'image', or remove the others."
        )
    return found[named[0]] if named else next(iter(found.values()))
