"""One image file: looked at, then decoded to an array of 8-bit pixels of the size that is wanted.

What cannot be read is said in a few words of ours rather than the library's, whose words change
with its version.
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
TURNS = {  # EXIF orientation -> what undoes it
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
    whole = Image.new(picture.mode, size)
    at = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    whole.paste(picture.resize(inner, method), at)
    return whole


RESIZE = {"pad": _pad, "crop": ImageOps.fit, "stretch": Image.Image.resize}


class UnreadableError(Exception):
    """A file that cannot be used; its text says why."""


def attempt(function: Callable[[Image.Image], Result], path: Path) -> Result:
    """Open an image and return what `function` makes of it.

    Raises:
        UnreadableError: whatever is the matter with the file.
    """
    # Opened here, since a TIFF that the library opens is mapped into memory and turned wrongly.
    try:
        with ExitStack() as closing:
            with _library():
                file = closing.enter_context(path.open("rb"))
            if not os.fstat(file.fileno()).st_size:
                raise UnreadableError("is empty")
            with _library():
                image = closing.enter_context(Image.open(file, formats=FORMATS))
            width, height = image.size
            most = Image.MAX_IMAGE_PIXELS
            if most and width * height > most:
                raise UnreadableError(f"has {height} x {width} pixels, more than {most:,}")
            if not width * height:
                raise UnreadableError("has no pixels")
            return function(image)
    except MemoryError:
        raise UnreadableError("needs more memory than there is") from None


@contextmanager
def _library() -> Iterator[None]:
    """Turn whatever a hostile file makes of the library into an UnreadableError.

    Only calls of the library stand within: a fault of ours makes no image a damaged one.
    """
    try:
        yield
    except MemoryError:
        raise
    except Image.DecompressionBombError:
        raise UnreadableError(f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"is no image of the kinds {', '.join(FORMATS)}") from None
    except (PermissionError, FileNotFoundError) as error:
        raise UnreadableError(f"cannot be opened ({error.strerror})") from None
    except Exception:
        raise UnreadableError("is cut short or damaged") from None


def look(image: Image.Image) -> tuple[int, int, bool]:
    """Return height and width as they are once turned upright, and whether it may have colour."""
    width, height = image.size
    if _orientation(image) >= 5:
        width, height = height, width
    return height, width, image.mode not in GREY


def decode(
    image: Image.Image, size: tuple[int, int], channels: int, resize: str
) -> tuple[np.ndarray, bool]:
    """Return the pixels of an opened image.

    Of several frames the first is taken. What is transparent becomes white, as on paper; 16 bits
    are scaled to 8; an orientation that EXIF states is applied.

    Args:
        image: just opened.
        size: height and width of the result.
        channels: 1 (grey, by ITU-R 601) or 3.
        resize: `pad` fits the whole image in and fills the rest with black, `crop` fills the whole
            and cuts what juts out, both centred; `stretch` changes the proportions.

    Returns:
        uint8 (height, width, channels), and whether the image was of another size.

    Raises:
        UnreadableError: when the pixels have 32 bits.
    """
    # A JPEG of many pixels is decoded at a half, a quarter or an eighth, never below twice the size
    with _library():
        image.draft(None, (2 * max(size), 2 * max(size)))
    picture = upright(image, "L" if channels == 1 else "RGB")
    changed = picture.size != size[::-1]
    if changed:
        picture = RESIZE[resize](picture, size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).reshape(*size, channels), changed


def upright(image: Image.Image, mode: str) -> Image.Image:
    """Return an opened image in mode L or RGB, 8 bits a channel, on white, turned as EXIF says.

    Raises:
        UnreadableError: when the pixels have 32 bits.
    """
    turn = _orientation(image)
    picture = _eight_bits(image, mode)
    return picture.transpose(TURNS[turn]) if turn in TURNS else picture


def _eight_bits(image: Image.Image, mode: str) -> Image.Image:
    """Return an image of mode L or RGB."""
    if image.mode in ("I", "F"):
        raise UnreadableError("has pixels of 32 bits, where 8 or 16 are read")
    with _library():
        image.load()
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    with _library():  # a palette or a transparent colour may be nonsense too
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert(mode)


def _orientation(image: Image.Image) -> int:
    """Return how EXIF says that pixels are stored: 1, upright, for nothing and for nonsense."""
    if image.format == "TIFF":
        return 1  # the library has turned it already
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # asking would decode the whole image, to look behind it
    try:
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF is no reason to leave an image out
        return 1
    return turn if turn in range(1, 9) else 1
