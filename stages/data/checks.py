"""Validation of images and labels, for all sources."""

from dataclasses import replace

import numpy as np

from stages.data.source import Source
from stages.errors import UserError

MOST_CLASSES = 1000
DARK = 64  # if no pixel is this bright, the scale is probably 0 to 1 or 0 to 16, not 0 to 255


def check(source: Source) -> Source:
    """Check a source and return it with images as uint8 and labels as int64.

    If all images are nearly black, a note says so.

    Args:
        source: images may have any numeric type if each pixel is a whole number from 0 to 255;
            labels may have any integer type.

    Raises:
        UserError: for fewer than 2 or more than 1,000 classes, or one without a name or without
            a training image; images of another shape, NaN, fractional or out-of-range pixels;
            labels that are not integers, not as many as the images, or out of range; test images
            whose shape differs from that of the training images.
    """
    classes = source.classes
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"{source.name} has {len(classes):,} classes; give at most {MOST_CLASSES:,}."
        )
    if len(classes) < 2 or len(set(classes)) < len(classes) or not all(classes):
        raise UserError(
            f"{source.name} has the classes {classes}; give two or more with different names."
        )
    train_images = _images(source.train_images, f"{source.name}'s training images")
    train_labels = _labels(source.train_labels, train_images, classes, f"{source.name}'s training")
    empty = np.flatnonzero(np.bincount(train_labels, minlength=len(classes)) == 0)
    if empty.size:
        raise UserError(
            f"{source.name}'s class {classes[empty[0]]!r} has no training image; "
            "add images of it or leave the class out."
        )
    checked = replace(source, train_images=train_images, train_labels=train_labels)
    if source.test_images is None and source.test_labels is None:
        return _with_note(checked)
    if source.test_images is None or source.test_labels is None:
        raise UserError(
            f"{source.name} has only test images or only test labels; give both or neither."
        )
    test_images = _images(source.test_images, f"{source.name}'s test images")
    if test_images.shape[1:] != train_images.shape[1:]:
        raise UserError(
            f"{source.name}'s test images are {test_images.shape[1:]}, its training images "
            f"{train_images.shape[1:]} (height, width, channels); give both the same shape."
        )
    test_labels = _labels(source.test_labels, test_images, classes, f"{source.name}'s test")
    return _with_note(replace(checked, test_images=test_images, test_labels=test_labels))


def _with_note(source: Source) -> Source:
    """Add a note to a checked source if its pixels seem to be on another scale."""
    splits = (source.train_images, source.test_images)
    greatest = max(int(images.max()) for images in splits if images is not None)
    if greatest >= DARK:
        return source
    note = (
        f"The greatest pixel of all images is {greatest}, where 255 is white: they are nearly "
        "black. If they are on another scale, bring them to 0 to 255."
    )
    return replace(source, notes=(*source.notes, note))


def _images(images: np.ndarray, what: str) -> np.ndarray:
    """Return images as uint8 (n, height, width, 1 or 3) or raise a UserError naming `what`."""
    if images.ndim != 4 or 0 in images.shape or images.shape[3] not in (1, 3):
        raise UserError(
            f"{what} have the shape {images.shape}; give (images, height, width, channels), none "
            "of them 0, with 1 channel (grey) or 3 (colour)."
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "iuf":
        raise UserError(f"{what} are of type {images.dtype}; give numbers from 0 to 255.")
    low, high = images.min(), images.max()  # NaN if any pixel is
    if not np.isfinite([low, high]).all():
        first = next(row for row, image in enumerate(images) if not np.isfinite(image).all())
        raise UserError(
            f"{what} have pixels that are NaN or infinite, first in image {first}; correct or "
            "leave out such images."
        )
    if low < 0 or high > 255:
        raise UserError(f"{what} have pixels from {low} to {high}; scale them to 0 to 255.")
    whole = np.empty(images.shape, np.uint8)
    for row, image in enumerate(images):  # one at a time, to avoid a second copy
        whole[row] = image
        if (whole[row] != image).any():
            raise UserError(
                f"{what} have pixels that are not whole numbers; multiply pixels from 0 to 1 by "
                "255, then round."
            )
    return whole


def _labels(
    labels: np.ndarray, images: np.ndarray, classes: tuple[str, ...], what: str
) -> np.ndarray:
    """Return labels as int64 (n,) or raise a UserError; `what` names the split ("mnist's test")."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(
            f"{what} labels are {labels.dtype} of shape {labels.shape}; give one integer per image."
        )
    if len(labels) != len(images):
        raise UserError(
            f"{what} split has {len(labels)} labels for {len(images)} images; give one per image."
        )
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if outside.size:
        raise UserError(
            f"{what} label of image {outside[0]} is {labels[outside[0]]}; labels go from 0 to "
            f"{len(classes) - 1} for the {len(classes)} classes; correct it or name more classes."
        )
    return labels.astype(np.int64, copy=False)
