"""Sources made from arrays: convert labels to classes and pixels to bytes."""

from collections.abc import Sequence

import numpy as np

from stages.data.checks import MOST_CLASSES
from stages.data.source import Source
from stages.errors import UserError

SHOWN = 8  # labels listed in a note


def source(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray] | None,
) -> Source:
    """Build a source from a user's arrays.

    Args:
        name: the source's name.
        train: the training images (n, height, width) or (n, height, width, channels), and the
            labels (n,) or (n, 1), whole numbers or text.
        test: likewise, or None.

    Returns:
        An unchecked source whose classes are the distinct labels, sorted.

    Raises:
        UserError: for labels that are negative, fractional, or of another type or shape.
    """
    splits = {"training": train} | ({"test": test} if test is not None else {})
    images, notes = as_bytes([pixels for pixels, _ in splits.values()])
    named = [names(labels, f"{name}'s {split}") for split, (_, labels) in splits.items()]
    if len({labels.dtype.kind for labels in named}) > 1:
        raise UserError(
            f"{name}'s training labels and its test labels have different types; give both as "
            "numbers or both as text."
        )
    classes, numbers = np.unique(np.concatenate(named), return_inverse=True)
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"{name} has {len(classes):,} different labels; give at most {MOST_CLASSES:,} classes."
        )
    if classes.dtype.kind == "i" and classes.tolist() != list(range(len(classes))):
        listed = ", ".join(map(str, classes[:SHOWN])) + (", ..." if len(classes) > SHOWN else "")
        notes.append(f"The labels are not 0, 1, 2 and so on; they name the classes: {listed}.")
    count = len(named[0])
    return Source(
        name=name,
        licence="not stated",
        classes=tuple(map(str, classes.tolist())),
        train_images=images[0],
        train_labels=numbers[:count],
        test_images=images[1] if test is not None else None,
        test_labels=numbers[count:] if test is not None else None,
        notes=tuple(notes),
    )


def names(labels: np.ndarray, what: str) -> np.ndarray:
    """Return labels as class names: int64 or text (n,).

    Args:
        labels: integers, whole floats, booleans, text, or bytes of UTF-8, (n,) or (n, 1).
        what: the split, for messages ("mine's test").

    Raises:
        UserError: for other types, negative numbers and empty text.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise UserError(
            f"{what} labels have the shape {labels.shape}; give one class per image, not "
            "one-hot rows."
        )
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{what} labels are not UTF-8 text; save them as UTF-8.") from None
    if labels.dtype.kind == "U":
        empty = np.flatnonzero(labels == "")
        if empty.size:
            raise UserError(f"{what} label of image {empty[0]} is empty; name its class.")
        return labels
    if labels.dtype.kind not in "biuf":
        raise UserError(
            f"{what} labels are of type {labels.dtype}; give one whole number or text per image."
        )
    whole = np.isfinite(labels) & (labels == np.floor(labels)) if labels.dtype.kind == "f" else True
    wrong = np.flatnonzero(~(whole & (labels >= 0) & (labels < 2**31)))
    if wrong.size:
        raise UserError(
            f"{what} label of image {wrong[0]} is {labels[wrong[0]]}; labels are whole numbers "
            "from 0, so correct it, or leave out images without a class."
        )
    return labels.astype(np.int64)


def as_bytes(splits: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Add a channel axis to grey images, and scale floats in [0, 1] to bytes.

    Args:
        splits: the images of each split; either all splits are scaled or none.

    Returns:
        The images, and a list with a note if they were scaled. Other arrays are returned as they
        are, for `stages.data.checks.check`.
    """
    splits = [images[..., np.newaxis] if images.ndim == 3 else images for images in splits]
    if any(images.dtype.kind != "f" or not images.size for images in splits):
        return splits, []
    if not all(images.min() >= 0 and images.max() <= 1 for images in splits):  # false for NaN
        return splits, []
    scaled = []
    for images in splits:
        scaled.append(np.empty(images.shape, np.uint8))
        for row, image in enumerate(images):  # one at a time, to avoid a second copy
            scaled[-1][row] = np.rint(image.astype(np.float64) * 255)
    return scaled, ["Pixels from 0 to 1 were multiplied by 255 and rounded."]
