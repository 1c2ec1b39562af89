"""The data structure that every source returns, and the checks that each must pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from stages.errors import UserError

MOST_CLASSES = 1000
DARK = 64  # if no pixel is this bright, the scale is probably 0 to 1 or 0 to 16, not 0 to 255


class Split(NamedTuple):
    """The labelled images of the training or the test set."""

    images: np.ndarray  # uint8 (n, height, width, channels), 0-255, 1 or 3 channels
    labels: np.ndarray  # int64 (n,), indices into the classes
    files: tuple[str, ...] | None = None  # relative to the source's folder, with "/", if any
    rows: np.ndarray | None = None  # int64 (n,) in the source as read; None: all, in order
    sizes: np.ndarray | None = None  # int64 (n, 2), height and width of the files before resizing


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled images with their name, licence and classes."""

    name: str  # as in `data.source`, or the last part of its path
    licence: str  # of the images, in words
    classes: tuple[str, ...]
    train: Split
    test: Split | None = None  # None: to be held out from `train`
    unreadable: dict[str, str] = field(default_factory=dict)  # file -> why it was left out
    notes: tuple[str, ...] = ()  # conversions and oddities of the images, one sentence each
    bits: int = 16  # of the pixels in 16-bit files, see `data.bits`
    pixel_range: tuple[int, int] = (0, 255)  # of the source, before it was scaled to 0 to 255
    sha256: str = ""  # of the content; "" for a user's own files, see `stages.data.watch`

    @property
    def splits(self) -> list[Split]:
        """Return the training split, and the test split if there is one."""
        return [split for split in (self.train, self.test) if split]


def compacted(images: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Return some rows of an array, given in ascending order, and overwrite it if it is writable.

    Images may be in a file that exceeds memory, so there is no second copy.
    """
    if not images.flags.writeable:
        return images[rows]
    for to, row in enumerate(rows):
        if to != row:
            images[to] = images[row]
    return images[: len(rows)]


def check(source: Source) -> Source:
    """Check a source; convert images of whole numbers to uint8, and integer labels to int64.

    If all images of a split are nearly black, a note is added.

    Raises:
        UserError: names the source, the split, and the first image or class that is wrong.
    """
    name, classes, notes = source.name, source.classes, source.notes
    if not 2 <= len(classes) <= MOST_CLASSES:
        found = (
            f"only the class {classes[0]!r}" if len(classes) == 1 else f"{len(classes):,} classes"
        )
        raise UserError(f"{name} has {found}; give images of 2 to {MOST_CLASSES:,} classes.")
    if len(set(classes)) < len(classes) or not all(classes):
        raise UserError(f"{name} has the classes {classes}; give each a different name.")
    train = _checked(source.train, len(classes), f"{name}'s training")
    test = source.test and _checked(source.test, len(classes), f"{name}'s test")
    if empty := set(range(len(classes))) - set(train.labels.tolist()):
        raise UserError(
            f"{name}'s class {classes[min(empty)]!r} has no training image; add images of it or "
            "leave the class out."
        )
    if test and test.images.shape[1:] != train.images.shape[1:]:
        raise UserError(
            f"{name}'s test images are {test.images.shape[1:]}, its training images "
            f"{train.images.shape[1:]} (height, width, channels); give both the same shape."
        )
    for split, kind in ((train, "training"), (test, "test")):
        notes += nearly_black(split.images, f"{kind} ") if split else ()
    if test and (missing := set(range(len(classes))) - set(test.labels.tolist())):
        notes += (f"The test set has no image of class {classes[min(missing)]!r}.",)
    return replace(source, train=train, test=test, notes=notes)


def nearly_black(images: np.ndarray, kind: str = "") -> tuple[str, ...]:
    """Return a sentence if no pixel of these images is bright, else none.

    `kind` names them in the sentence: "", "training " or "test ".
    """
    brightest = images.max()
    if brightest >= DARK:
        return ()
    return (
        f"No pixel of the {kind}images is above {brightest}, where 255 is white: they are nearly "
        "black. If they have another scale, convert them to 0 to 255.",
    )


def _checked(split: Split, classes: int, what: str) -> Split:
    """Check and convert one split; `what` names it in messages."""
    images, labels = split.images, split.labels
    if images.ndim != 4 or 0 in images.shape or images.shape[3] not in (1, 3):
        raise UserError(
            f"{what} images have the shape {images.shape}; give (images, height, width, channels), "
            "none of them 0, with 1 channel (grey) or 3 (colour)."
        )
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        raise UserError(
            f"{what} labels are {labels.dtype} of shape {labels.shape}; give one integer for each "
            f"of the {len(images)} images."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"{what} labels go from {labels.min()} to {labels.max()}; give indices into the "
            f"{classes} classes, from 0."
        )
    split = split._replace(labels=labels.astype(np.int64, copy=False))
    if images.dtype == np.uint8:
        return split
    if images.dtype.kind not in "iuf":
        raise UserError(f"{what} images are of type {images.dtype}; give numbers from 0 to 255.")
    whole = np.empty(images.shape, np.uint8)
    for row, image in enumerate(images):  # one at a time, to avoid a second copy
        with np.errstate(invalid="ignore"):  # NaN differs from any whole number
            whole[row] = image
        wrong = image[whole[row] != image]
        if wrong.size:
            raise UserError(
                f"{what} image {row} has a pixel of {wrong[0]}; give whole numbers from 0 to 255: "
                "rescale all images, or correct or remove this one."
            )
    return split._replace(images=whole)
