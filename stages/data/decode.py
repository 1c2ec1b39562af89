"""Decode one image file to 8-bit pixels of a given size.

Error messages are ours, since Pillow's change with its version.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
ORIENTATION = ExifTags.Base.Orientation


def _pad(picture: Image.Image, size: tuple[int, int], method: int) -> Image.Image:
    """Fit a picture into `size`, centred on black; ImageOps.pad fails for strips."""
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    canvas = Image.new(picture.mode, size)
    at = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas.paste(picture.resize(inner, method), at)
    return canvas


RESIZE: dict[str, Callable[..., Image.Image]] = {
    "pad": _pad,
    "crop": ImageOps.fit,
    "stretch": Image.Image.resize,
}


class UnreadableError(Exception):
    """An image file that cannot be read; the text says why."""


def opened(path: Path) -> Image.Image:
    """Open an image file without decoding its pixels; UnreadableError if that is impossible."""
    with _pillow_errors():
        content = path.read_bytes()  # Pillow would memory-map a TIFF, and rotate it wrongly
    if not content:
        raise UnreadableError("is empty")
    with _pillow_errors():
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    limit = Image.MAX_IMAGE_PIXELS or math.inf
    if not 0 < image.width * image.height <= limit:
        raise UnreadableError(f"has {image.height} x {image.width} pixels, not 1 to {limit:,}")
    return image


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Convert any exception from Pillow into an UnreadableError.

    Wrap only calls of Pillow, so that a bug of ours is not reported as a damaged image.
    """
    try:
        yield
    except MemoryError:
        raise UnreadableError("needs more memory than is available") from None
    except Image.DecompressionBombError:
        raise UnreadableError(f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"is not an image of the formats {', '.join(FORMATS)}") from None
    except (PermissionError, FileNotFoundError) as error:
        raise UnreadableError(f"cannot be opened ({error.strerror})") from None
    except Exception:
        raise UnreadableError("is truncated or damaged") from None


def size(image: Image.Image) -> tuple[int, int]:
    """Return height and width of the upright image."""
    width, height = image.size
    return (width, height) if _orientation(image) >= 5 else (height, width)


def decode(image: Image.Image, shape: Sequence[int], resize: str) -> np.ndarray:
    """Return the pixels of an opened, not yet loaded image; see `upright` and `resized`."""
    # Decodes a large JPEG at 1/2, 1/4 or 1/8 of its size, but at least at twice the result's.
    with _pillow_errors():
        image.draft(None, (2 * max(shape[:2]), 2 * max(shape[:2])))
    return resized(upright(image, "L" if shape[2] == 1 else "RGB"), shape, resize)


def resized(picture: Image.Image, shape: Sequence[int], resize: str) -> np.ndarray:
    """Return the pixels of a picture of mode L or RGB, uint8 (height, width, 1 or 3), of `shape`.

    `resize` is `pad`, which fits the whole picture and fills the rest with black, `crop`, which
    fills the area and cuts the overhang, both centred, or `stretch`, which changes proportions.
    """
    picture = RESIZE[resize](picture, (shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).reshape(shape)


def upright(image: Image.Image, mode: str) -> Image.Image:
    """Return the first frame in mode L (grey by ITU-R 601) or RGB, 8 bits per channel.

    16 bits are scaled to 8, transparency becomes white, and the EXIF orientation is applied.
    """
    orientation = _orientation(image)
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
        image = image.convert(mode)
    image.info.clear()  # exif_transpose would fail where the EXIF is damaged
    image.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(image)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing or invalid."""
    # Pillow turns TIFF itself, and would decode all pixels of a PNG to look for EXIF after them.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF does not make the pixels unreadable
        return 1
    return value if value in range(1, 9) else 1
