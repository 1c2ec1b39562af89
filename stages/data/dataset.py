"""Write data/prepared: the arrays, and dataset.json, which describes them."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages import files
from stages.data import near_duplicates, odd_images
from stages.data.source import Source, Split
from stages.data.splits import Splits
from stages.errors import UserError
from stages.settings.params import Params

BLOCK = 64  # images copied at once


def write(source: Source, splits: Splits, settings: Params) -> dict[str, Any]:
    """Write the arrays, each as <name>.npy, then dataset.json; return the content of the latter.

    `train_names.csv` has the row in the source and the file, if any, of each training image.
    `near_duplicates.csv` and `odd_images.csv` list images to look at. `settings` are those that the
    source was read with.

    The arrays are `train_images` uint8 (n, height, width, channels), `train_labels` int64 (n,), the
    same for `test_images` and `test_labels`, and `folds` int16 (repeats, n), in the source's order.
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
        _save(array, rows, files.PREPARED / f"{name}.npy")
    names = _names(source, splits)
    files.write_table(files.PREPARED / "train_names.csv", ("row", "file"), names["train"])
    arrays = {name: files.read_array(files.PREPARED / f"{name}.npy") for name in selected}
    per_class, test_per_class = (
        np.bincount(arrays[name], minlength=len(classes)).tolist()
        for name in ("train_labels", "test_labels")
    )
    largest, smallest = max(per_class), min(per_class)
    data, images = settings.data, sum(len(split.labels) for split in source.splits)
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
        "resize": data.resize,
        "background": data.background,
        "limit": data.limit if len(splits.train) + len(splits.test) < images else None,
        "pixel_range": list(source.pixel_range),
        "pixels": pixels(arrays["train_images"]),
        "imbalance": {
            "largest": classes[per_class.index(largest)],
            "smallest": classes[per_class.index(smallest)],
            "ratio": largest / smallest,
        },
        "images_sha256": splits.images_sha256,
        "groups": splits.groups,
        "duplicates": splits.duplicates,
        "near_duplicates": near_duplicates.summary(splits.near),
        "odd_images": _write_lists(source, splits, arrays, names, data.resize == "pad"),
        "unreadable": dict(sorted(source.unreadable.items())),
        "notes": list(source.notes),
    }
    files.write_json(files.PREPARED / "dataset.json", content)
    files.write_json(_made_with(), _identity(settings))
    return content


def read(settings: Params) -> dict[str, Any]:
    """Return the content of dataset.json.

    Raises:
        UserError: when it is missing, or was written here with other settings of `data` or `folds`.
    """
    content, now = files.read_dataset(files.PREPARED), _identity(settings)
    made = files.read_json(_made_with()) if _made_with().is_file() else now
    if made["dataset"] == now["dataset"] and made["settings"] != now["settings"]:
        raise UserError(
            f"{files.PREPARED} was made with other settings of data or folds than params.yaml has; "
            "run `dvc repro prepare`."
        )
    return content


def _made_with() -> Path:
    """Return a file that DVC does not track, because other settings may give the same images."""
    return files.root() / ".foldlab" / "prepared.json"


def _identity(settings: Params) -> dict[str, str]:
    """Return the SHA-256 of dataset.json, and of the settings that data/prepared depends on."""
    sections = json.dumps([settings.data.model_dump(), settings.folds.model_dump()])
    return {
        "dataset": files.sha256(files.PREPARED / "dataset.json"),
        "settings": hashlib.sha256(sections.encode()).hexdigest(),
    }


def _names(source: Source, splits: Splits) -> dict[str, list[tuple[int, str]]]:
    """Return the row in the source and the file, if any, of the images of each split."""
    names = {}
    for key, (split, rows) in _chosen(source, splits).items():
        start = len(source.train.labels) if split is source.test else 0
        numbers = start + rows if split.rows is None else split.rows[rows]
        paths = split.files
        names[key] = [
            (int(number), paths[row] if paths else "")
            for number, row in zip(numbers, rows.tolist(), strict=True)
        ]
    return names


def _chosen(source: Source, splits: Splits) -> dict[str, tuple[Split, np.ndarray]]:
    """Return the source's split, and the rows in it, from which each prepared split is made."""
    return {
        "train": (source.train, splits.train),
        "test": (source.test or source.train, splits.test),
    }


def _write_lists(
    source: Source,
    splits: Splits,
    arrays: dict[str, np.ndarray],
    names: dict[str, list[tuple[int, str]]],
    padded: bool,
) -> dict[str, int]:
    """Write the tables of near duplicates and of odd images; return the counts of the latter."""
    named = [
        (key, index, *name, source.classes[label])
        for key, of in names.items()
        for index, (name, label) in enumerate(zip(of, arrays[f"{key}_labels"], strict=True))
    ]
    rows = near_duplicates.table(splits.near or [], named, len(splits.train))
    path = files.PREPARED / "near_duplicates.csv"
    files.write_table(path, near_duplicates.COLUMNS, rows)
    own = [
        None if split.sizes is None else split.sizes[rows]
        for split, rows in _chosen(source, splits).values()
    ]
    known = [one for one in own if one is not None]
    sizes = np.concatenate(known) if len(known) == len(own) else None
    odd = odd_images.find([arrays["train_images"], arrays["test_images"]], sizes, padded)
    rows = [(*named[one.row], *one[1:]) for one in odd]
    files.write_table(files.PREPARED / "odd_images.csv", odd_images.COLUMNS, rows)
    return odd_images.summary(odd)


def _save(array: np.ndarray, rows: np.ndarray, path: Path) -> None:
    """Write the same bytes as `numpy.save(path, array[rows])`, in blocks to save memory."""
    blocks = (array[rows[start : start + BLOCK]] for start in range(0, len(rows), BLOCK))
    files.write_blocks(path, array.dtype, (len(rows), *array.shape[1:]), blocks)


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
