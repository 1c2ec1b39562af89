"""The stage `prepare`: read, check and split the images."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages import data, files
from stages.data import watch
from stages.data.card import card
from stages.data.source import Source
from stages.data.splits import Splits, make_splits
from stages.errors import UserError
from stages.settings import params

PREPARED = Path("data/prepared")
BLOCK = 64  # images copied at once


def prepare() -> None:
    """Read, check and split the images of params.yaml, and write data/prepared."""
    from stages.engine import resolve  # imports all registries, which nothing else here needs

    settings = params.load()
    resolve.check(settings)
    watch.check(settings)
    before = watch.digests(settings)
    source = data.load(settings.data)
    source = replace(source, sha256=before.get("data.source", source.sha256))
    splits = make_splits(source, settings)
    dataset = write(source, splits, PREPARED)
    try:
        watch.check_unchanged(settings, before)
    except (UserError, OSError):
        (PREPARED / "dataset.json").unlink()
        raise
    for note in source.notes:
        print(f"foldlab: {source.name}: {note}", file=sys.stderr)
    shape, repeats = "x".join(map(str, dataset["image_shape"])), settings.folds.repeats
    print(
        f"{source.name}: {len(splits.train)} training and {len(splits.test)} test images of "
        f"{shape} in {len(source.classes)} classes, {settings.folds.count} folds, "
        f"{repeats} {'repeat' if repeats == 1 else 'repeats'}"
    )


def write(source: Source, splits: Splits, folder: Path) -> dict:
    """Write the arrays, each as <name>.npy, then dataset.json, which describes them.

    The arrays are `train_images` uint8 (n, height, width, channels), `train_labels` int64 (n,),
    `test_images` and `test_labels` likewise, and `folds` int16 (repeats, n), in the source's order.
    Returns the content of dataset.json.
    """
    test_images, test_labels = source.test_images, source.test_labels
    if test_images is None:
        test_images, test_labels = source.train_images, source.train_labels
    selected = {
        "train_images": (source.train_images, splits.train),
        "train_labels": (source.train_labels, splits.train),
        "test_images": (test_images, splits.test),
        "test_labels": (test_labels, splits.test),
        "folds": (splits.folds, np.arange(len(splits.folds))),
    }
    for name, (array, rows) in selected.items():
        with files.replacing(folder / f"{name}.npy") as temporary:
            _save(array, rows, temporary)
    arrays = {name: files.read_array(folder / f"{name}.npy") for name in selected}
    dataset = {
        "source": source.name,
        "licence": source.licence,
        "classes": list(source.classes),
        "image_shape": list(source.train_images.shape[1:]),
        "train": _counts(arrays["train_labels"], source.classes),
        "test": _counts(arrays["test_labels"], source.classes),
        "folds": {"count": int(splits.folds.max()) + 1, "repeats": len(splits.folds)},
        "sha256": content_hash(arrays, source.classes),
        "source_sha256": source.sha256,
        **card(source, splits, arrays["train_images"]),
    }
    files.write_json(folder / "dataset.json", dataset)
    return dataset


def _save(array: np.ndarray, rows: np.ndarray, path: Path) -> None:
    """Write the same bytes as `numpy.save(path, array[rows])`, in blocks to save memory.

    The file is not memory-mapped: there, a full disk is a fatal signal instead of an OSError.
    """
    shape = (len(rows), *array.shape[1:])
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), BLOCK):
            file.write(np.ascontiguousarray(array[rows[start : start + BLOCK]]))


def content_hash(arrays: dict[str, np.ndarray], classes: tuple[str, ...]) -> str:
    """Return the SHA-256 of the class names and of each array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(classes).encode())
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()


def _counts(labels: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Count the images of a split, in total and per class."""
    per_class = np.bincount(labels, minlength=len(classes))
    return {"images": len(labels), "per_class": per_class.tolist()}
