"""Decode one image file to 8-bit pixels of a given size.

Error messages are ours, since Pillow's change with its version.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
GREY = frozenset({"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"})
ORIENTATION = 0x0112
TURNS = {  # EXIF orientation -> its inverse
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Result = TypeVar("Result")


def _pad(picture: Image.Image, size: tuple[int, int], method: int) -> Image.Image:
    """Fit a picture into `size` (width, height), centred on black."""
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    canvas = Image.new(picture.mode, size)
    at = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas.paste(picture.resize(inner, method), at)
    return canvas


RESIZE = {"pad": _pad, "crop": ImageOps.fit, "stretch": Image.Image.resize}


class UnreadableError(Exception):
    """An image file that cannot be read; the text says why."""


def attempt(function: Callable[[Image.Image], Result], path: Path) -> Result:
    """Open an image and return `function(image)`.

    Raises:
        UnreadableError: when the file cannot be opened or decoded.
    """
    # Open the file here: Pillow memory-maps a TIFF that it opens itself and rotates it wrongly.
    try:
        with ExitStack() as closing:
            with _pillow_errors():
                file = closing.enter_context(path.open("rb"))
            if not os.fstat(file.fileno()).st_size:
                raise UnreadableError("is empty")
            with _pillow_errors():
                image = closing.enter_context(Image.open(file, formats=FORMATS))
            width, height = image.size
            limit = Image.MAX_IMAGE_PIXELS
            if limit and width * height > limit:
                raise UnreadableError(f"has {height} x {width} pixels, more than {limit:,}")
            if not width * height:
                raise UnreadableError("has no pixels")
            return function(image)
    except MemoryError:
        raise UnreadableError("needs more memory than is available") from None


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Convert any exception from Pillow into an UnreadableError.

    Wrap only calls of Pillow, so that a bug of ours is not reported as a damaged image.
    """
    try:
        yield
    except MemoryError:
        raise
    except Image.DecompressionBombError:
        raise UnreadableError(f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"is not an image of the formats {', '.join(FORMATS)}") from None
    except (PermissionError, FileNotFoundError) as error:
        raise UnreadableError(f"cannot be opened ({error.strerror})") from None
    except Exception:
        raise UnreadableError("is truncated or damaged") from None


def inspect(image: Image.Image) -> tuple[int, int, bool]:
    """Return height and width of the upright image, and whether it may have colour."""
    width, height = image.size
    if _orientation(image) >= 5:
        width, height = height, width
    return height, width, image.mode not in GREY


def decode(
    image: Image.Image, size: tuple[int, int], channels: int, resize: str
) -> tuple[np.ndarray, bool]:
    """Return the pixels of an opened image.

    Only the first frame is used. Transparency becomes white, 16 bits are scaled to 8, and the EXIF
    orientation is applied.

    Args:
        image: opened, not yet loaded.
        size: height and width of the result.
        channels: 1 (grey, by ITU-R 601) or 3.
        resize: `pad` fits the whole image and fills the rest with black, `crop` fills the area and
            cuts the overhang, both centred; `stretch` changes the aspect ratio.

    Returns:
        uint8 (height, width, channels), and whether the image was resized.

    Raises:
        UnreadableError: when the pixels have 32 bits.
    """
    # Decodes a large JPEG at 1/2, 1/4 or 1/8 of its size, but at least at twice the result's.
    with _pillow_errors():
        image.draft(None, (2 * max(size), 2 * max(size)))
    picture = upright(image, "L" if channels == 1 else "RGB")
    changed = picture.size != size[::-1]
    if changed:
        picture = RESIZE[resize](picture, size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).reshape(*size, channels), changed


def upright(image: Image.Image, mode: str) -> Image.Image:
    """Return an opened image in mode L or RGB, 8 bits per channel, on white, upright by EXIF.

    Raises:
        UnreadableError: when the pixels have 32 bits.
    """
    orientation = _orientation(image)
    picture = _eight_bits(image, mode)
    return picture.transpose(TURNS[orientation]) if orientation in TURNS else picture


def _eight_bits(image: Image.Image, mode: str) -> Image.Image:
    """Return an image of mode L or RGB."""
    if image.mode in ("I", "F"):
        raise UnreadableError("has pixels of 32 bits; only 8 and 16 are supported")
    with _pillow_errors():
        image.load()
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    with _pillow_errors():  # the palette or the transparent colour may be invalid too
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert(mode)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing or invalid."""
    if image.format == "TIFF":
        return 1  # Pillow has applied it already
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # reading EXIF after the pixels would decode the whole image
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF does not make the pixels unreadable
        return 1
    return value if value in range(1, 9) else 1
