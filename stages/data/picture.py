"""Image files from anywhere, brought into the form that a model was trained on."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from stages.data import decode
from stages.errors import UserError

FIELD, BOX = 28, 20  # MNIST: a digit scaled into 20 x 20, centred in 28 x 28
INK = 0.15  # of the strongest contrast; less is noise of paper, camera or JPEG
FLAT = 12  # grey levels; a picture with less contrast shows nothing
SMOOTH = Image.Resampling.BICUBIC


def read(path: Path) -> Image.Image:
    """Return an image file as RGB, upright, transparent parts white as on paper.

    Raises:
        UserError: when the file is no image that can be read; one sentence with its name.
    """
    try:
        return decode.attempt(partial(decode.upright, mode="RGB"), path)
    except decode.UnreadableError as error:
        known = ", ".join(decode.FORMATS)
        raise UserError(f"{path} {error}; give an image file that is whole: {known}.") from None


def is_digits(classes: Sequence[str], shape: Sequence[int]) -> bool:
    """Say whether a data set is of single digits in the form of MNIST's."""
    return [*classes] == [*"0123456789"] and [*shape] == [FIELD, FIELD, 1]


def as_digit(image: Image.Image) -> np.ndarray:
    """Return a picture of one digit in the form of MNIST: light on black, scaled, centred by mass.

    What differs from the border's colour is ink, so dark on light, light on dark and coloured
    digits are alike. The box around the ink is scaled to fit 20 x 20, and its centre of mass put
    on the centre of 28 x 28 (http://yann.lecun.com/exdb/mnist).

    Args:
        image: RGB, any size.

    Returns:
        uint8 (28, 28, 1).

    Raises:
        UserError: when nothing differs from the border; the text says so without a file's name.
    """
    pixels = np.asarray(image, np.float32)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ink = np.abs(pixels - np.median(border, axis=0)).max(axis=2)
    if ink.max() < FLAT:
        raise UserError("shows nothing that differs from its border")
    ink /= ink.max()
    ink[ink < INK] = 0
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(box.shape)
    height, width = (max(1, round(side * scale)) for side in box.shape)
    small = np.asarray(Image.fromarray(box).resize((width, height), SMOOTH)).clip(0)
    small = small / small.max()  # thin strokes pale when they shrink

    down = _start(small.sum(axis=1), height)
    right = _start(small.sum(axis=0), width)
    field = np.zeros((FIELD, FIELD, 1), np.uint8)
    field[down : down + height, right : right + width, 0] = np.rint(255 * small)
    return field


def as_trained(image: Image.Image, shape: Sequence[int], resize: str = "pad") -> np.ndarray:
    """Return a picture in a model's size, brought to it as `data.resize` says.

    Args:
        image: RGB, any size.
        shape: (height, width, channels) of the result; 1 channel is grey by ITU-R 601, 3 are RGB.
        resize: a name in `stages.data.decode.RESIZE`.

    Returns:
        uint8 of that shape.
    """
    height, width, channels = shape
    image = image if channels == 3 else image.convert("L")
    return np.asarray(decode.RESIZE[resize](image, (width, height), SMOOTH)).reshape(shape)


def _start(mass: np.ndarray, length: int) -> int:
    """Return where a line of masses begins so that its centre is MNIST's, and all is in it.

    That is pixel 14, counted from 0: within half a pixel in each of MNIST's images.
    """
    centre = (mass * np.arange(length)).sum() / mass.sum()
    return int(np.clip(round(FIELD / 2 - centre), 0, FIELD - length))
