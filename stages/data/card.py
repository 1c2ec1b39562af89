"""The data card: facts about the prepared images beyond their counts."""

import math
from typing import Any

import numpy as np

from stages.data import rows
from stages.data.source import Source
from stages.data.splits import Splits


def card(source: Source, splits: Splits, train_images: np.ndarray | rows.Rows) -> dict[str, Any]:
    """Return the facts that dataset.json adds to the counts, all serializable as JSON.

    Args:
        source: where the images come from.
        splits: which images are in which split.
        train_images: uint8 (n, height, width, channels), the training images; may be
            memory-mapped, or `Rows`.

    Returns:
        `pixels` (mean and standard deviation of each channel over all training images, 0 to 255),
        `imbalance` (the training set's largest and smallest class, and the ratio of their sizes),
        `images_sha256` (independent of the order and the splits), `groups` (number per split; {}
        without `folds.group`), `duplicates` (from `stages.data.duplicates.find`), `unreadable`
        (file -> reason) and `notes`.
    """
    per_class = np.bincount(source.train_labels[splits.train], minlength=len(source.classes))
    largest, smallest = int(per_class.argmax()), int(per_class.argmin())
    return {
        "pixels": pixels(train_images),
        "imbalance": {
            "largest": source.classes[largest],
            "smallest": source.classes[smallest],
            "ratio": per_class[largest] / per_class[smallest],
        },
        "images_sha256": splits.images_sha256,
        "groups": splits.groups,
        "duplicates": splits.duplicates,
        "unreadable": dict(sorted(source.unreadable.items())),
        "notes": list(source.notes),
    }


def pixels(images: np.ndarray | rows.Rows) -> dict[str, list[float]]:
    """Return mean and standard deviation (over n, not n - 1) of the pixels of each channel.

    The sums are exact, so the result is the same on every machine.
    """
    total = squares = 0
    for part in rows.blocks(images):
        flat = part.reshape(len(part), -1)  # summing over images first is fastest
        total = total + flat.sum(0, dtype=np.uint32).astype(np.uint64)
        squares = squares + np.square(flat, dtype=np.uint16).sum(0, dtype=np.uint64)
    total, squares = (sums.reshape(-1, images.shape[-1]).sum(0) for sums in (total, squares))
    n = math.prod(images.shape[:3])
    sums = list(zip(total.tolist(), squares.tolist(), strict=True))
    return {
        "mean": [one / n for one, _ in sums],
        "std": [math.sqrt(n * square - one**2) / n for one, square in sums],
    }
