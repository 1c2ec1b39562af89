"""Images that are nearly black, nearly white, blurred, or of an unusual shape.

Blur and shape are compared with the other images of the data set, so that only outliers are listed.
Sums are of whole numbers, so that the result is the same on every machine.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stages.data import decode

KINDS = ("black", "white", "blurred", "shape")
COLUMNS = ("split", "index", "row", "file", "label", "what", "value", "median")
BLACK, WHITE = 16, 239  # grey levels up to and from which a pixel is nearly black or white
SHARE = 0.99  # least share of the pixels that are nearly black or white
DEVIATIONS = 4.0  # least distance of a log from the median, in 1.4826 median absolute deviations
SOFTER, LONGER = 4.0, 3.0  # least factors: below the median sharpness, from the median shape
FEWEST = 20  # fewest images that are compared with each other
EDGE = 2  # pixels next to padding that are ignored
PIXELS = 2**16  # processed at once
GREY = np.array([299, 587, 114], np.int32)  # thousandths: ITU-R 601


class Odd(NamedTuple):
    """An image to look at."""

    row: int  # among all given images
    what: str  # one of KINDS
    value: float  # mean grey level; sharpness, see `_measured`; or height / width
    median: float  # of all images


def find(splits: Sequence[np.ndarray], sizes: np.ndarray | None, padded: bool) -> list[Odd]:
    """Return the odd images of splits, numbered consecutively across them.

    Each split is uint8 (n, height, width, channels), maybe memory-mapped. `sizes` is int (n, 2),
    height and width of all images before resizing, or None. If images are `padded`, only the
    pictures within them are looked at.
    """
    blocks: list[np.ndarray] = []
    done = 0
    for images in splits:
        count = max(1, PIXELS // (images.shape[1] * images.shape[2]))
        for start in range(0, len(images), count):
            block = images[start : start + count]
            own = sizes[done : done + len(block)] if sizes is not None and padded else None
            blocks.append(_measured(block, own))
            done += len(block)
    mean, black, white, sharpness = np.concatenate(blocks).T
    found = [_odd(row, "black", mean) for row in np.flatnonzero(black >= SHARE)]
    found += [_odd(row, "white", mean) for row in np.flatnonzero(white >= SHARE)]
    plain = {one.row for one in found}
    soft = np.flatnonzero(_far(sharpness, SOFTER) < 0)
    found += [_odd(row, "blurred", sharpness) for row in soft if row not in plain]
    if sizes is not None:
        shape = sizes[:, 0] / sizes[:, 1]
        found += [_odd(row, "shape", shape) for row in np.flatnonzero(_far(shape, LONGER))]
    return sorted(found)


def summary(found: Sequence[Odd]) -> dict[str, int]:
    """Return the number of images of each kind that occurs."""
    counts = Counter(one.what for one in found)
    return {what: counts[what] for what in KINDS if counts[what]}


def _odd(row: np.integer, what: str, values: np.ndarray) -> Odd:
    value, median = float(values[row]), float(np.median(values))
    return Odd(int(row), what, round(value, 4), round(median, 4))


def _measured(images: np.ndarray, sizes: np.ndarray | None) -> np.ndarray:
    """Return mean grey level, shares of black and white pixels, and sharpness, float64 (n, 4).

    Sharpness is the sum of the squared Laplacian over that of the squared gradient. Unlike the
    variance of the Laplacian, it hardly depends on how much a picture shows (docs/decisions.md).
    """
    grey = images[..., 0].astype(np.int32)
    if images.shape[3] == 3:
        grey = np.einsum("nhwc,c->nhw", images, GREY, dtype=np.int32) // 1000
    inside = np.ones(grey.shape, bool)
    for row, size in enumerate([] if sizes is None else sizes.tolist()):
        rows, columns = map(_inset, decode.inside(size, grey.shape[1:]))
        inside[row] = False
        inside[row, rows, columns] = True
    count = inside.sum(axis=(1, 2))
    mean = np.where(inside, grey, 0).sum(axis=(1, 2)) / count
    black, white = (
        (inside & mask).sum(axis=(1, 2)) / count for mask in (grey <= BLACK, grey >= WHITE)
    )
    middle = (slice(None), slice(1, -1), slice(1, -1))
    beside = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    laplacian = np.where(inside[middle], beside - 4 * grey[middle], 0).astype(np.int64)
    down, right = grey[:, 2:, 1:-1] - grey[middle], grey[:, 1:-1, 2:] - grey[middle]
    gradient = np.where(inside[middle], down**2 + right**2, 0)
    squares = (laplacian**2).sum(axis=(1, 2)), gradient.sum(axis=(1, 2), dtype=np.int64)
    sharpness = squares[0] / np.maximum(squares[1], inside[middle].sum(axis=(1, 2)) + 1)
    return np.stack([mean, black, white, sharpness], axis=1)


def _inset(part: slice) -> slice:
    """Return a slice without EDGE pixels at both ends, or its middle if it is narrow."""
    edge = min(EDGE, (part.stop - part.start - 1) // 2)
    return slice(part.start + edge, part.stop - edge)


def _far(values: np.ndarray, least: float) -> np.ndarray:
    """Return -1 or 1 where a value is far below or above the others, else 0, int (n,).

    Far is DEVIATIONS in the logarithm, and at least a factor of `least`.
    """
    if len(values) < FEWEST:
        return np.zeros(len(values), int)
    logs = np.log(np.maximum(values, 1e-3))
    off = logs - np.median(logs)
    limit = max(DEVIATIONS * 1.4826 * np.median(np.abs(off)), np.log(least))
    return (off > limit).astype(int) - (off < -limit)
