"""The stage `prepare`: read, check and split the images."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages import data, files
from stages.data import rows, watch
from stages.data.card import card
from stages.data.source import Source
from stages.data.splits import Splits, make_splits
from stages.errors import UserError
from stages.settings import params

PREPARED = Path("data/prepared")


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
    arrays = select(source, splits)
    write(source, splits, arrays, PREPARED)
    try:
        watch.check_unchanged(settings, before)
    except (UserError, OSError):
        (PREPARED / "dataset.json").unlink()
        raise
    for note in source.notes:
        print(f"foldlab: {source.name}: {note}", file=sys.stderr)
    image_shape = "x".join(str(size) for size in source.train_images.shape[1:])
    repeats, images = arrays["folds"].shape
    print(
        f"{source.name}: {images} training and {len(arrays['test_labels'])} test images of "
        f"{image_shape} in {len(source.classes)} classes, {settings.folds.count} folds, "
        f"{repeats} {'repeat' if repeats == 1 else 'repeats'}"
    )


def select(source: Source, splits: Splits) -> dict[str, np.ndarray | rows.Rows]:
    """Return the arrays to write, in the source's order.

    Returns:
        `train_images` uint8 (n, height, width, channels), `train_labels` int64 (n,),
        `test_images` and `test_labels` likewise, and `folds` int16 (repeats, n). Images are `Rows`
        of the source's array, not copies.
    """
    train_images, train_labels = source.train_images, source.train_labels
    test_images, test_labels = source.test_images, source.test_labels
    if test_images is None:
        test_images, test_labels = train_images, train_labels
    return {
        "train_images": rows.take(train_images, splits.train),
        "train_labels": train_labels[splits.train],
        "test_images": rows.take(test_images, splits.test),
        "test_labels": test_labels[splits.test],
        "folds": splits.folds,
    }


def write(
    source: Source, splits: Splits, arrays: dict[str, np.ndarray | rows.Rows], folder: Path
) -> None:
    """Write each array as <name>.npy, then dataset.json, which describes them.

    Args:
        source: where the images come from.
        splits: which images are in which split.
        arrays: what `select` returned.
        folder: created if missing.
    """
    for name, array in arrays.items():
        with files.replacing(folder / f"{name}.npy") as beside:
            _save(array, beside)
    repeats = len(arrays["folds"])
    files.write_json(
        folder / "dataset.json",
        {
            "source": source.name,
            "licence": source.licence,
            "classes": list(source.classes),
            "image_shape": list(source.train_images.shape[1:]),
            "train": _counts(arrays["train_labels"], source.classes),
            "test": _counts(arrays["test_labels"], source.classes),
            "folds": {"count": int(arrays["folds"].max()) + 1, "repeats": repeats},
            "sha256": content_hash(arrays, source.classes),
            "source_sha256": source.sha256,
            **card(source, splits, arrays["train_images"]),
        },
    )


def _save(array: np.ndarray | rows.Rows, path: Path) -> None:
    """Write the same bytes as `numpy.save`, in blocks.

    The file is not memory-mapped: there, a full disk is a fatal signal instead of an OSError.
    """
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in rows.blocks(array):
            file.write(block)


def content_hash(arrays: dict[str, np.ndarray | rows.Rows], classes: tuple[str, ...]) -> str:
    """Return the SHA-256 of the class names and of each array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(classes).encode())
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        for block in rows.blocks(array):
            digest.update(block)
    return digest.hexdigest()


def _counts(labels: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Count the images of a split, in total and per class."""
    per_class = np.bincount(labels, minlength=len(classes))
    return {"images": len(labels), "per_class": per_class.tolist()}
