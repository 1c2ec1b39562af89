"""The data structure that every source returns."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled images with their name, licence and classes.

    Attributes:
        name: the name in `data.source`, or the last part of its path.
        licence: the licence of the images, in words.
        classes: the class names; a label is an index into them.
        train_images: uint8 (n, height, width, channels), 0-255.
        train_labels: int64 (n,).
        test_images: uint8 (m, height, width, channels), or None if the source has no test set.
        test_labels: int64 (m,), or None.
        train_files: each training image's file, relative to the source's folder, with "/"; None
            if images are not separate files.
        test_files: likewise for the test images.
        unreadable: file -> why it was left out.
        notes: conversions and oddities of the images, one sentence each ("Pixels from 0 to 1 ...").
        sha256: of the content; "" for a user's own files, see `stages.data.watch`.
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
