"""Sources made from arrays: convert labels to classes and pixels to bytes."""

from collections.abc import Callable, Sequence

import numpy as np

from stages.data import listing
from stages.data.source import Source, Split
from stages.errors import UserError

SHOWN = 8  # labels listed in a note


def source(name: str, *splits: Split) -> Source:
    """Return an unchecked source of a user's arrays; its classes are the distinct labels, sorted.

    `splits` is the training split, perhaps followed by the test split, with images
    (n, height, width) or (n, height, width, channels), and labels as for `names`.

    Raises:
        UserError: as `names`, or if the splits have labels or pixels of different kinds.
    """
    kinds = [f"{name}'s {kind}" for kind, _ in zip(("training", "test"), splits, strict=False)]
    _check_scales([split.images for split in splits], kinds)
    images, pixel_range, notes = as_bytes([split.images for split in splits])
    named = [names(split.labels, kind) for split, kind in zip(splits, kinds, strict=True)]
    _check_types(named, kinds)
    classes, numbers = np.unique(np.concatenate(named), return_inverse=True)
    if classes.dtype.kind == "i" and classes.tolist() != list(range(len(classes))):
        listed = ", ".join(map(str, classes[:SHOWN])) + (", ..." if len(classes) > SHOWN else "")
        notes.append(f"The labels are not 0, 1, 2, ...; they are used as class names: {listed}.")
    count = len(named[0])
    class_names = tuple(map(str, classes.tolist()))
    return Source(
        name=name,
        licence="not stated",
        classes=class_names,
        train=Split(images[0], numbers[:count]),
        test=Split(images[1], numbers[count:]) if len(splits) > 1 else None,
        notes=(*notes, *listing.alike(class_names)),
        pixel_range=pixel_range,
    )


def names(labels: np.ndarray, split: str) -> np.ndarray:
    """Return labels as class names (n,): int64, or text in Unicode form NFC, stripped of blanks.

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
        distinct, number = np.unique(labels, return_inverse=True)
        labels = np.array([listing.nfc(name.strip()) for name in distinct.tolist()], str)[number]
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


def joined(first: Split, second: Split, name: str, kind: str) -> Split:
    """Return a split and the validation split as one.

    `name` is the source's, and `kind` the first split's, training or test, for messages.
    """
    splits, kinds = (first, second), [f"{name}'s {kind}", f"{name}'s validation"]
    if first.images.shape[1:] != second.images.shape[1:]:
        raise UserError(
            f"{name}'s validation images are {second.images.shape[1:]}, the others "
            f"{first.images.shape[1:]}; give both the same shape, or set data.validation to ignore."
        )
    named = [names(split.labels, kind) for split, kind in zip(splits, kinds, strict=True)]
    for split, labels, what in zip(splits, named, kinds, strict=True):
        if len(labels) != len(split.images):
            raise UserError(
                f"{what} has {len(labels)} labels for {len(split.images)} images; give one "
                "label per image."
            )
    _check_types(named, kinds)
    _check_scales([split.images for split in splits], kinds)
    return Split(np.concatenate([first.images, second.images]), np.concatenate(named))


def _check_types(labels: Sequence[np.ndarray], kinds: Sequence[str]) -> None:
    """Refuse labels that are numbers in one split and text in another; `kinds` names the splits."""
    if len({array.dtype.kind for array in labels}) > 1:
        raise UserError(
            f"{kinds[0]} labels and {kinds[1]} labels have different types; give both as numbers "
            "or both as text."
        )


def _check_scales(images: Sequence[np.ndarray], kinds: Sequence[str]) -> None:
    """Refuse fractions up to 1 in one split if another goes further; `kinds` names the splits."""
    most = [array.max() if array.size and array.dtype.kind in "biuf" else 1 for array in images]
    for array, highest, kind in zip(images, most, kinds, strict=True):
        if max(most) > 1 >= highest and array.dtype.kind == "f" and not _is_whole(array):
            other = int(np.argmax(most))
            raise UserError(
                f"{kind} pixels are fractions up to {highest:g}, but {kinds[other]} pixels go up "
                f"to {most[other]:g}; give both the same scale."
            )


def as_bytes(
    splits: Sequence[np.ndarray], known: Sequence[int] = ()
) -> tuple[list[np.ndarray], tuple[int, int], list[str]]:
    """Reshape images to (n, height, width, channels), and rescale their pixels to 0 to 255.

    Channels that come first are moved to the end. RANGES lists the ranges that are recognised, over
    all splits together; pixels in other ranges stay as they are. A `known` range, (start, end),
    is used where the pixels fit it, since a few dark images may not reveal it.

    Returns the images of each split, the range that their pixels had, and sentences on what was
    changed.
    """
    splits = [images[..., np.newaxis] if images.ndim == 3 else images for images in splits]
    notes = []
    if all(images.ndim == 4 and _is_channels_first(images.shape) for images in splits):
        splits = [np.moveaxis(images, 1, 3) for images in splits]
        notes.append("The channels came first and were moved to the end.")
    if not all(images.size and images.dtype.kind in "biuf" for images in splits):
        return splits, (0, 255), notes
    low = min(images.min() for images in splits)
    high = max(images.max() for images in splits)
    whole = all(images.dtype.kind in "biu" or _is_whole(images) for images in splits)
    fits = [(start, end) for start, end, applies in RANGES if applies(low, high, whole)]
    if known and known[0] <= low and high <= known[1] and (whole or high > 1 or known[1] == 1):
        fits.insert(0, (known[0], known[1]))
    start, end = fits[0] if fits else (0, 255)
    if end == 255 and (whole or not fits):
        return splits, (0, 255), notes
    scaled = [  # one image at a time, to avoid a second copy as float64
        np.stack(
            [
                np.rint((image.astype(np.float64) - start) * (255 / (end - start))).astype(np.uint8)
                for image in images
            ]
        )
        for images in splits
    ]
    note = f"Pixels from {start} to {end} were rescaled to 0 to 255 and rounded."
    return scaled, (start, end), [*notes, "Pixels were rounded." if end == 255 else note]


# start, end, and whether (lowest, highest, all whole) is this range; NaN is in none
RANGES: tuple[tuple[int, int, Callable[[float, float, bool], bool]], ...] = (
    (0, 1, lambda low, high, whole: low >= 0 and high <= 1),
    (-1, 1, lambda low, high, whole: -1 <= low < 0 and high <= 1),
    (0, 16, lambda low, high, whole: low >= 0 and high == 16 and whole),  # scikit-learn's digits
    (0, 255, lambda low, high, whole: low >= 0 and high <= 255 and not whole),
)


def _is_channels_first(shape: Sequence[int]) -> bool:
    return shape[1] in (1, 3) and shape[3] not in (1, 3)


def _is_whole(images: np.ndarray) -> bool:
    return all((np.floor(image) == image).all() for image in images)
