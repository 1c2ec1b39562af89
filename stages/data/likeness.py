"""How much two images differ, if one may be a re-encoded, resized, cropped or lighter copy.

Candidates are the nearest neighbours of each image by a thumbnail of 8 x 8 grey levels. The
distance of two is what still differs once one picture is moved and scaled to fit the other.
Perceptual hashes find fewer of the cropped copies (docs/decisions.md).

Thumbnails are whole numbers, so their distances are exact and candidates do not depend on the
machine.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

THUMBNAIL = 8  # pixels
VIEWS = (0, 0.025)  # cropped from each side of the image: nothing, and half of what copies may lose
LENGTH = 400  # of a thumbnail as a vector; products of two are exact in float32
NEIGHBOURS = 4  # of each image that are compared with it
FAR = 0.55  # largest distance of candidates, between thumbnails of length 1
TABLE = 2**22  # distances in memory at once

SIDE = 24  # pixels of the pictures that are compared
SMOOTH = (0.25, 0.5, 0.25)
GRID = np.linspace(-1, 1, SIDE)  # the place of a row or a column
STILL = (0.0, 1.0, 0.0, 1.0)  # shift and scale, first the vertical; a shift of 1 is half a side
SHIFTS, SCALES = (-0.2, 0.2), (0.8, 1.25)  # of the fit
STEPS = 6  # of the fit
RIDGE = 1e-3  # keeps the fit solvable for pictures without gradients
FLAT = 3.0  # grey levels; with a lower standard deviation, a picture is nearly of one colour
CONTRAST, LIGHTER = 1.6, 64  # copies differ by less: factor in contrast, grey levels in mean


def thumbnails(image: np.ndarray) -> np.ndarray:
    """Return the VIEWS of an image, uint8 (height, width, channels), as vectors.

    They are int16 (len(VIEWS), THUMBNAIL^2), of mean 0 and length LENGTH, or shorter for a view
    that is nearly of one colour.
    """
    grey, size = _picture(image).convert("L"), (THUMBNAIL, THUMBNAIL)
    height, width = image.shape[:2]
    pixels = np.empty((len(VIEWS), THUMBNAIL**2), np.int64)
    for cut, view in zip(VIEWS, pixels, strict=True):
        box = (cut * width, cut * height, width - cut * width, height - cut * height)
        view[:] = np.asarray(grey.resize(size, Image.Resampling.BOX, box)).ravel()
    # whole numbers, unlike the mean
    centred = pixels * THUMBNAIL**2 - pixels.sum(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    scale = LENGTH / np.maximum(length, FLAT * THUMBNAIL**3)
    return np.rint(centred * scale).astype(np.int16)


def candidates(thumbnails: np.ndarray) -> np.ndarray:
    """Return pairs of images that may be near duplicates, int64 (pairs, 2), smaller index first.

    Each image is paired with its NEIGHBOURS nearest images that are not FAR, comparing its first
    view with any view of theirs. (scikit-learn is not used because the number of threads decides
    which of several equally distant neighbours it returns.) `thumbnails` is int16
    (n, len(VIEWS), THUMBNAIL^2).
    """
    vectors = thumbnails.astype(np.float32).swapaxes(0, 1)
    n, squares = len(thumbnails), (vectors**2).sum(axis=2)
    found = [np.empty((0, 2), np.int64)]
    rows = max(1, TABLE // n)
    for start in range(0, n, rows):
        left = np.arange(start, min(start + rows, n))
        table = np.full((len(left), n), np.inf, np.float32)
        for view, square in zip(vectors, squares, strict=True):
            product = vectors[0, left] @ view.T
            np.minimum(table, square - 2 * product + squares[0, left, np.newaxis], out=table)
        table[np.arange(len(left)), left] = np.inf
        for _ in range(NEIGHBOURS):
            other = table.argmin(axis=1)
            near = table[np.arange(len(left)), other] <= (FAR * LENGTH) ** 2
            table, left, other = table[near], left[near], other[near]
            found.append(np.stack([left, other], axis=1))
            table[np.arange(len(left)), other] = np.inf
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))


def pictures(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images as they are compared, small and smooth: float64 (n, channels, SIDE, SIDE)."""
    small = [_picture(image).resize((SIDE,) * 2, Image.Resampling.BILINEAR) for image in images]
    pixels = np.array([np.asarray(one) for one in small], np.float64)
    pixels = np.moveaxis(pixels.reshape(len(small), SIDE, SIDE, -1), 3, 1)
    for axis in (2, 3):
        pixels = ndimage.correlate1d(pixels, SMOOTH, axis)
    return pixels


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how much pairs of pictures differ once the second fits the first, float64 (n,).

    Both come from `pictures`. Means and contrasts are made equal. The distance is then the root
    mean square of the difference where the two overlap, over the contrast: the square root of
    2 (1 - correlation). It is less if both contrasts are below FLAT, since what differs then is
    mostly noise, and infinite if one is lighter or has more contrast than copies have.
    """
    place = _place(first.mean(axis=1, keepdims=True), second.mean(axis=1, keepdims=True))
    still = np.tile(STILL, (len(first), 1))
    return np.minimum(*(_difference(first, *_moved(second, at)) for at in (still, place)))


def _place(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how to move each second picture to fit the first, float64 (n, 4) in STILL's order.

    The pictures are grey, float64 (n, 1, SIDE, SIDE). The algorithm is the inverse compositional
    one of Baker and Matthews (2004, Lucas-Kanade 20 years on, figure 4), on pictures of mean 0 and
    standard deviation 1.
    """
    n, place = len(first), np.tile(STILL, (len(first), 1))
    one = _standard(first, np.ones_like(first))[0]
    down, right = (np.gradient(one[:, 0], 2 / (SIDE - 1), axis=axis) for axis in (1, 2))
    slopes = np.stack([down, down * GRID[:, None], right, right * GRID], axis=1).reshape(n, 4, -1)
    # A change of contrast must not be mistaken for a move.
    slopes -= (slopes @ one.reshape(n, -1, 1)) * one.reshape(n, 1, -1) / SIDE**2
    inverse = np.linalg.inv(slopes @ slopes.swapaxes(1, 2) + RIDGE * np.eye(4))
    for _ in range(STEPS):
        moved, inside = _moved(second, place)
        error = (_standard(moved, inside)[0] - one) * inside
        change = (inverse @ (slopes @ error.reshape(n, -1, 1)))[..., 0]
        for at in (0, 2):
            scale = 1 + change[:, at + 1].clip(-0.5, 0.5)
            place[:, at + 1] = (place[:, at + 1] / scale).clip(*SCALES)
            place[:, at] = (place[:, at] - place[:, at + 1] * change[:, at]).clip(*SHIFTS)
    return place


def _moved(images: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures moved and scaled bilinearly, and where they are defined.

    The latter is float64 (n, 1, SIDE, SIDE), 1 or 0.
    """
    inside = []
    for shift, scale in (place[:, :2].T, place[:, 2:].T):
        at = scale[:, None] * GRID + shift[:, None]
        inside.append((np.abs(at) <= 1 + 1e-9).astype(np.float64))
        at = (at.clip(-1, 1) + 1) * ((SIDE - 1) / 2)
        low = np.minimum(at.astype(int), SIDE - 2)
        part, rows = (at - low)[:, None, :, None], low[:, None, :, None]
        above, below = (np.take_along_axis(images, rows + one, axis=2) for one in (0, 1))
        images = (above + (below - above) * part).swapaxes(2, 3)
    return images, inside[0][:, None, :, None] * inside[1][:, None, None, :]


def _difference(first: np.ndarray, second: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the distance of pictures where they overlap, float64 (n,)."""
    (one, mean, contrast), (other, other_mean, other_contrast) = (
        _standard(pictures, inside) for pictures in (first, second)
    )
    square = ((other - one) ** 2 * inside).sum(axis=(1, 2, 3))
    square /= inside.sum(axis=(1, 2, 3)) * first.shape[1]
    level = np.maximum(contrast, other_contrast)
    ratio = (contrast + FLAT) / (other_contrast + FLAT)
    alike = (np.maximum(ratio, 1 / ratio) < CONTRAST) & (np.abs(mean - other_mean) < LIGHTER)
    return np.where(alike, np.sqrt(square) * level / np.maximum(level, FLAT), np.inf)


def _standard(pictures: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, ...]:
    """Standardise pictures where `inside` is 1; return them, their means and their deviations."""
    axes = (1, 2, 3)
    count = inside.sum(axis=axes, keepdims=True) * pictures.shape[1]
    mean = (pictures * inside).sum(axis=axes, keepdims=True) / count
    centred = pictures - mean
    deviation = np.sqrt((centred**2 * inside).sum(axis=axes, keepdims=True) / count)
    return centred / np.maximum(deviation, 1e-6), mean.ravel(), deviation.ravel()
