"""What every source of images returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled images with their name, licence and classes.

    Attributes:
        name: the source's name, as `data.source` gives it.
        licence: the licence of the images, in words.
        classes: the class names; a label is an index into them.
        train_images: uint8 (n, height, width, channels), 0-255.
        train_labels: int64 (n,).
        test_images: uint8 (m, height, width, channels), or None where the source has no test set.
        test_labels: int64 (m,), or None.
    """

    name: str
    licence: str
    classes: tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None
