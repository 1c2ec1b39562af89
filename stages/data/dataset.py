"""Write data/prepared: the arrays, and dataset.json, which describes them."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages import files
from stages.data.source import Source
from stages.data.splits import Splits

BLOCK = 64  # images copied at once


def write(source: Source, splits: Splits) -> dict[str, Any]:
    """Write the arrays, each as <name>.npy, then dataset.json; return the content of the latter.

    `train_names.csv` has the row in the source and the file, if any, of each training image.

    The arrays are `train_images` uint8 (n, height, width, channels), `train_labels` int64 (n,),
    `test_images` and `test_labels` likewise, and `folds` int16 (repeats, n), in the source's order.
    """
    test, classes = source.test or source.train, source.classes
    selected = {
        "train_images": (source.train.images, splits.train),
        "train_labels": (source.train.labels, splits.train),
        "test_images": (test.images, splits.test),
        "test_labels": (test.labels, splits.test),
        "folds": (splits.folds, np.arange(len(splits.folds))),
    }
    for name, (array, rows) in selected.items():
        with files.replacing(files.PREPARED / f"{name}.npy") as temporary:
            _save(array, rows, temporary)
    in_source, names = source.train.rows, source.train.files
    numbers = splits.train if in_source is None else in_source[splits.train]
    files.write_table(
        files.PREPARED / "train_names.csv",
        ("row", "file"),
        [
            (int(number), names[row] if names else "")
            for number, row in zip(numbers, splits.train.tolist(), strict=True)
        ],
    )
    arrays = {name: files.read_array(files.PREPARED / f"{name}.npy") for name in selected}
    per_class, test_per_class = (
        np.bincount(arrays[name], minlength=len(classes)).tolist()
        for name in ("train_labels", "test_labels")
    )
    largest, smallest = max(per_class), min(per_class)
    content = {
        "source": source.name,
        "licence": source.licence,
        "classes": list(classes),
        "image_shape": list(source.train.images.shape[1:]),
        "train": {"images": len(splits.train), "per_class": per_class},
        "test": {"images": len(splits.test), "per_class": test_per_class},
        "folds": {"count": int(splits.folds.max()) + 1, "repeats": len(splits.folds)},
        "sha256": content_hash(arrays, classes),
        "source_sha256": source.sha256,
        "bits": source.bits,
        "pixels": pixels(arrays["train_images"]),
        "imbalance": {
            "largest": classes[per_class.index(largest)],
            "smallest": classes[per_class.index(smallest)],
            "ratio": largest / smallest,
        },
        "images_sha256": splits.images_sha256,
        "groups": splits.groups,
        "duplicates": splits.duplicates,
        "unreadable": dict(sorted(source.unreadable.items())),
        "notes": list(source.notes),
    }
    files.write_json(files.PREPARED / "dataset.json", content)
    return content


def _save(array: np.ndarray, rows: np.ndarray, path: Path) -> None:
    """Write the same bytes as `numpy.save(path, array[rows])`, in blocks to save memory.

    The file is not memory-mapped: there, a full disk is a fatal signal instead of an OSError.
    """
    shape = (len(rows), *array.shape[1:])
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), BLOCK):
            file.write(np.ascontiguousarray(array[rows[start : start + BLOCK]]).data)


def content_hash(arrays: dict[str, np.ndarray], classes: Sequence[str]) -> str:
    """Return the SHA-256 of the class names and of each array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(classes).encode())
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()


def pixels(images: np.ndarray) -> dict[str, list[float]]:
    """Return mean and standard deviation (over n, not n - 1) of the pixels of each channel.

    The sums are exact, so the result is the same on every machine.
    """
    n = math.prod(images.shape[:3])
    totals = images.sum(axis=(0, 1, 2), dtype=np.int64).tolist()
    squares = np.einsum("nhwc,nhwc->c", images, images, dtype=np.int64).tolist()
    return {
        "mean": [total / n for total in totals],
        "std": [
            math.sqrt(n * square - total**2) / n
            for total, square in zip(totals, squares, strict=True)
        ],
    }
