"""Sources made from arrays: convert labels to classes and pixels to bytes."""

from collections.abc import Sequence

import numpy as np

from stages.data.source import Source, Split
from stages.errors import UserError

SHOWN = 8  # labels listed in a note


def source(name: str, *splits: Split) -> Source:
    """Return an unchecked source of a user's arrays; its classes are the distinct labels, sorted.

    `splits` is the training split, perhaps followed by the test split, with images
    (n, height, width) or (n, height, width, channels), and labels as for `names`.

    Raises:
        UserError: as `names`, or for test labels of another type than the training labels.
    """
    images, notes = as_bytes([split.images for split in splits])
    kinds = zip(splits, ("training", "test"), strict=False)
    named = [names(split.labels, f"{name}'s {kind}") for split, kind in kinds]
    if len({labels.dtype.kind for labels in named}) > 1:
        raise UserError(
            f"{name}'s training labels and its test labels have different types; give both as "
            "numbers or both as text."
        )
    classes, numbers = np.unique(np.concatenate(named), return_inverse=True)
    if classes.dtype.kind == "i" and classes.tolist() != list(range(len(classes))):
        listed = ", ".join(map(str, classes[:SHOWN])) + (", ..." if len(classes) > SHOWN else "")
        notes.append(f"The labels are not 0, 1, 2 and so on; they name the classes: {listed}.")
    count = len(named[0])
    return Source(
        name=name,
        licence="not stated",
        classes=tuple(map(str, classes.tolist())),
        train=Split(images[0], numbers[:count]),
        test=Split(images[1], numbers[count:]) if len(splits) > 1 else None,
        notes=tuple(notes),
    )


def names(labels: np.ndarray, split: str) -> np.ndarray:
    """Return labels as class names: int64 or text (n,).

    Labels may be integers, whole floats, booleans, text, or bytes of UTF-8, (n,) or (n, 1).

    Raises:
        UserError: for other types and shapes, negative or fractional numbers, and empty text.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biufSU":
        raise UserError(
            f"{split} labels are of type {labels.dtype} and shape {labels.shape}; give one whole "
            "number or text per image, not one-hot rows."
        )
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{split} labels are not UTF-8 text; save them as UTF-8.") from None
    if is_text := labels.dtype.kind == "U":
        wrong = labels == ""
    else:  # false for NaN
        numbers = labels.astype(np.float64)
        wrong = ~((numbers >= 0) & (numbers < 2**31) & (np.floor(numbers) == numbers))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(
            f"{split} image {row} has the label {labels[row].item()!r}; labels are text "
            "or whole numbers from 0, so correct it, or leave out images without a class."
        )
    return labels if is_text else labels.astype(np.int64)


def as_bytes(splits: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Add a channel axis to grey images; scale floats in [0, 1] to bytes, in all splits or none.

    Returns the images of each split, and a list with a note if they were scaled.
    """
    splits = [images[..., np.newaxis] if images.ndim == 3 else images for images in splits]
    if not all(  # false for NaN
        images.dtype.kind == "f" and images.size and images.min() >= 0 and images.max() <= 1
        for images in splits
    ):
        return splits, []
    scaled = [  # one image at a time, to avoid a second copy as float64
        np.stack([np.rint(image.astype(np.float64) * 255).astype(np.uint8) for image in images])
        for images in splits
    ]
    return scaled, ["Pixels from 0 to 1 were multiplied by 255 and rounded."]
