"""The settings and rows of params.yaml that suit the images of `python -m stages new`."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from stages.data.look import Look
from stages.engine import resolve
from stages.errors import UserError
from stages.models.backbone import MINIMUM

FOLDS = 5
REPEATS = {2: 3}  # two folds alone decide little: docs/statistics.md
STEPS = 1000  # of the optimizer, at least, for a small network
BATCH = 32
# Sides in pixels to which images are resized, and the factor by which small networks, for which
# large images would take long, shrink them. Pretrained networks expect 224 pixels.
SHRINK: dict[int, Literal[1, 2, 4]] = {224: 4, 128: 2, 64: 1}
MANY = 10_000  # images; more do not get the largest side, at which each takes 150 kB and 10 ms
RESET: tuple[str, ...] = ("format", "folder", "image_size", "channels", "bits", "limit")
RESET += ("label_pattern", "file_column", "label_column", "corrections")  # of the section data
UNEVEN = 1.5  # ratio of the largest to the smallest class above which classes are weighted
ROPE = 0.01  # as in Benavoli et al. 2017; few photos cannot show smaller differences
AUGMENTATION = [{"flip": {}}, {"rotate": {"degrees": 10}}, {"zoom": {"factor": 0.15}}]
AUGMENTATION += [{"shift": {"fraction": 0.1}}, {"brightness": {"factor": 0.2}}]
ROWS: dict[str, dict[str, Any]] = {
    "majority": {
        "description": "The class frequencies, whatever the image shows.",
        "architecture": "majority",
        "train": {"class_weight": None},
    },
    "logistic": {
        "description": "Logistic regression on the pixels, without a hidden layer.",
        "architecture": "logistic",
        "train": {"learning_rate": 0.0005},
    },
    "cnn": {"description": "A small residual network.", "architecture": "resnet"},
    "cnn_augmented": {
        "description": "The same with mirrored, rotated, zoomed, shifted and lighter images.",
        "architecture": "resnet",
        "augmentation": AUGMENTATION,
    },
}
PRETRAINED = {  # where images are large enough
    "pretrained": {
        "description": "A network trained on ImageNet; only its last layer is trained.",
        "architecture": {"backbone": {"name": "efficientnet_lite0"}},
    }
}
BASELINE = "cnn"


def side(sizes: np.ndarray, images: int) -> int | None:
    """Return the side in pixels to which images are resized; None keeps the size that all share.

    `sizes` are those of a sample, and `images` is the number of all.
    """
    if len(np.unique(sizes, axis=0)) == 1 and sizes.max() <= min(SHRINK) and sizes.min() >= 8:
        return None
    typical = np.median(sizes.max(axis=1))  # most images are at least as large
    sides = sorted(SHRINK)[: -1 if images > MANY else None]
    return max((one for one in sides if one <= typical), default=min(SHRINK))


def shrink(side: int | None, height: int, width: int) -> Literal[1, 2, 4]:
    """Return the factor in SHRINK for `side`, or a smaller one that divides height and width."""
    most = SHRINK[side or min(SHRINK)]
    fits = [one for one in SHRINK.values() if one <= most and height % one == width % one == 0]
    return max(fits)


def rows(height: int, width: int, shrink: int, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rows to compare on images of that size: name -> row of `variants`.

    Digits are not mirrored: see `stages.engine.resolve.check_data`.
    """
    chosen = {name: row | {"shrink": shrink} for name, row in ROWS.items()}
    if resolve.are_digits(classes):
        chosen["cnn_augmented"] |= {
            "description": "The same with rotated, zoomed, shifted and lighter images.",
            "augmentation": AUGMENTATION[1:],
        }
    return chosen | (PRETRAINED if min(height, width) >= MINIMUM else {})


def sections(
    found: Look, data: dict[str, Any], names: list[str], train_share: float
) -> dict[str, dict[str, Any]]:
    """Return the settings to write: section -> setting -> value.

    `train_share` is the share of the images that is left to train with.

    Raises:
        UserError: if a class has too few images.
    """
    name, size = smallest(found)
    to_train = int(size * train_share)
    if to_train < 2:
        raise UserError(
            f"class {name!r} has only {size} different image{'s' * (size != 1)} to train with; "
            f"give it at least {math.ceil(2 / train_share)}."
        )
    images = sum(found.train)
    count = min(FOLDS, to_train)
    return {
        "data": dict.fromkeys(RESET) | data,
        "folds": {"count": count, "repeats": REPEATS.get(count, 1), "group": None},
        "train": {
            "epochs": int(np.clip(np.ceil(STEPS * BATCH / images), 10, 30)),
            "batch_size": BATCH,
            "learning_rate": 0.002,
            "class_weight": "balanced" if imbalance(found) > UNEVEN else None,
        },
        "compare": {
            "variants": names[::-1],
            "baseline": BASELINE,
            "rope": ROPE,
            "metric": "balanced_accuracy" if imbalance(found) > UNEVEN else "accuracy",
        },
    }


def smallest(found: Look) -> tuple[str, int]:
    """Return the class with the fewest different training images, and their number."""
    different = [count - copies for count, copies in zip(found.train, found.copies, strict=True)]
    return found.classes[different.index(min(different))], min(different)


def imbalance(found: Look) -> float:
    """Return the ratio of the largest to the smallest class, in training images."""
    return max(found.train) / max(1, min(found.train))
