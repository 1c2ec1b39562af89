"""Convert any image file to the form that a model was trained on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from stages.data import decode
from stages.errors import UserError
from stages.settings.sections import Data

FIELD, BOX = 28, 20  # MNIST: a digit scaled into 20 x 20, centred in 28 x 28
INK = 0.15  # share of the strongest contrast; less is noise from paper, camera or JPEG
FLAT = 12  # grey levels; a picture with less contrast is blank
SMOOTH = Image.Resampling.BICUBIC


def read(path: Path, data: Data, bits: int = 16) -> Image.Image:
    """Read an image file as RGB, upright, with transparency and 16 bits as in the data set."""
    with _refusing(path):
        return decode.upright(decode.opened(path), "RGB", data, bits)


def as_trained(path: Path, shape: Sequence[int], data: Data, bits: int = 16) -> np.ndarray:
    """Read an image file as a model's input, as `prepare` does; see `stages.data.decode.decode`."""
    with _refusing(path):
        return decode.decode(decode.opened(path), shape, data, bits)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except decode.UnreadableError as error:
        raise UserError(f"{path} {error}; give a complete image file.") from None


def is_digits(dataset: Mapping[str, Any]) -> bool:
    """Return whether a data set, the content of dataset.json, has images in MNIST's form.

    Other digits of the same size may be dark on light, or not centred.
    """
    return dataset.get("source") in ("mnist", "mnist-5k")


def as_digit(image: Image.Image) -> np.ndarray:
    """Convert a picture of one digit to MNIST's form: light on black, scaled, centred by mass.

    Ink is whatever differs from the border's colour, so dark on light, light on dark and coloured
    digits give the same result. The bounding box of the ink is scaled to fit 20 x 20, and its
    centre of mass moved to the centre of 28 x 28 (http://yann.lecun.com/exdb/mnist). The picture is
    RGB of any size, the result uint8 (28, 28, 1). The UserError for a blank picture does not name
    its file.
    """
    pixels = np.asarray(image, np.float32)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ink = np.abs(pixels - np.median(border, axis=0)).max(axis=2)
    if ink.max() < FLAT:
        raise UserError("shows nothing that differs from its border")
    ink /= ink.max()
    ink[ink < INK] = 0
    box = ink[ndimage.find_objects((ink > 0).astype(int))[0]]
    scale = BOX / max(box.shape)
    height, width = (max(1, round(side * scale)) for side in box.shape)
    small = np.asarray(Image.fromarray(box).resize((width, height), SMOOTH)).clip(0)
    small = small / small.max()  # thin strokes lose contrast when scaled down
    down, right = (  # so that the centre of mass is at pixel 14
        int(np.clip(round(FIELD / 2 - centre), 0, FIELD - length))
        for centre, length in zip(ndimage.center_of_mass(small), small.shape, strict=True)
    )
    field = np.zeros((FIELD, FIELD, 1), np.uint8)
    field[down : down + height, right : right + width, 0] = np.rint(255 * small)
    return field
