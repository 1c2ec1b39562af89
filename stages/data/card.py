"""The data card: facts about the prepared images beyond their counts."""

import math
from typing import Any

import numpy as np

from stages.data.source import Source
from stages.data.splits import Splits

BLOCK = 16  # images whose pixels are counted at once


def card(source: Source, splits: Splits, train_images: np.ndarray) -> dict[str, Any]:
    """Return the facts that dataset.json adds to the counts, all serializable as JSON.

    `train_images`, uint8 (n, height, width, channels), may be memory-mapped.

    Returns:
        `pixels`, `imbalance` (the training set's largest and smallest class, and the ratio of their
        sizes), and of the source and the splits: `images_sha256`, `groups`, `duplicates`,
        `unreadable` and `notes`.
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


def pixels(images: np.ndarray) -> dict[str, list[float]]:
    """Return mean and standard deviation (over n, not n - 1) of the pixels of each channel.

    The sums are exact, so the result is the same on every machine.
    """
    channels = images.shape[-1]
    offsets = 256 * np.arange(channels)
    counts = np.zeros(256 * channels, np.int64)  # of each value in each channel
    for start in range(0, len(images), BLOCK):
        values = images[start : start + BLOCK] + offsets
        counts += np.bincount(values.ravel(), minlength=len(counts))
    counts, values = counts.reshape(channels, 256), np.arange(256)
    n = math.prod(images.shape[:3])
    sums = list(zip((counts @ values).tolist(), (counts @ values**2).tolist(), strict=True))
    return {
        "mean": [total / n for total, _ in sums],
        "std": [math.sqrt(n * squares - total**2) / n for total, squares in sums],
    }
