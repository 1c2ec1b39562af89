"""What every source of images returns."""

from dataclasses import dataclass, field

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
        train_files: each training image's file, relative to the source's folder, with "/"; None
            where images are no files of their own.
        test_files: likewise for the test images.
        unreadable: file -> why it was left out, in words.
        notes: what was done to the images on the way, or is odd about them, a sentence each
            ("Pixels from 0 to 1 ...").
        sha256: of the content that was read; "" for a user's own files, see `stages.data.watch`.
    """

    name: str
    licence: str
    classes: tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    train_files: tuple[str, ...] | None = None
    test_files: tuple[str, ...] | None = None
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sha256: str = ""
