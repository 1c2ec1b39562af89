"""Decode one image file to 8-bit pixels of a given size.

Error messages are our own, because Pillow's change from version to version.
"""

import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from stages.settings.sections import Data

FORMATS: tuple[str, ...] = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF")
pillow_heif.register_heif_opener()
ORIENTATION = ExifTags.Base.Orientation
METHOD = Image.Resampling.BICUBIC
RESIZE: dict[str, Callable[..., Image.Image]] = {  # `resized` implements pad
    "crop": ImageOps.fit,
    "stretch": Image.Image.resize,
}


class UnreadableError(Exception):
    """An image file that cannot be read; the text says why."""


def opened(path: Path) -> Image.Image:
    """Open an image file without decoding its pixels; UnreadableError if that is impossible."""
    with _pillow_errors():
        content = path.read_bytes()  # Pillow would memory-map a TIFF, and rotate it wrongly
    return parsed(content)


def is_image(path: Path) -> bool:
    """Return whether the header of a file is that of an image."""
    try:
        header(path).close()
    except UnreadableError:
        return False
    return True


def parsed(content: bytes) -> Image.Image:
    """Return an image from the bytes of its file, as `opened` does."""
    return header(io.BytesIO(content))


def header(file: Path | io.BytesIO) -> Image.Image:
    """Return an image after reading only its header; the caller closes the image of a path.

    Raises:
        UnreadableError: if there is no image, or it is empty or too large.
    """
    with _pillow_errors():
        length = file.stat().st_size if isinstance(file, Path) else len(file.getbuffer())
    if not length:
        raise UnreadableError("is empty")
    with _pillow_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below
        image = Image.open(file, formats=FORMATS)
    limit = Image.MAX_IMAGE_PIXELS or math.inf
    if not 0 < image.width * image.height <= limit:
        image.close()
        raise UnreadableError(f"has {image.height} x {image.width} pixels, not 1 to {limit:,}")
    return image


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Convert any exception from Pillow into an UnreadableError.

    Wrap only calls of Pillow, so that a bug in Foldlab is not reported as a damaged image.
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


def is_wide(image: Image.Image) -> bool:
    """Return whether an image has grey levels of 16 bits."""
    return image.mode.startswith("I;16")


def largest(image: Image.Image) -> int:
    """Return the largest grey level of an image of 16 bits; 0 for any other image."""
    with _pillow_errors():
        return int(np.asarray(image).max()) if is_wide(image) else 0


def decode(image: Image.Image, shape: Sequence[int], data: Data, bits: int = 16) -> np.ndarray:
    """Return the pixels of an opened, not yet loaded image; see `upright` and `resized`."""
    own = size(image)
    # Decodes a large JPEG at 1/2, 1/4 or 1/8 of its size, but at least at twice the result's.
    with _pillow_errors():
        image.draft(None, (2 * max(shape[:2]), 2 * max(shape[:2])))
    return resized(upright(image, "L" if shape[2] == 1 else "RGB", data, bits), shape, data, own)


def resized(
    picture: Image.Image, shape: Sequence[int], data: Data, own: Sequence[int] | None = None
) -> np.ndarray:
    """Return the pixels of a picture of mode L or RGB, uint8 (height, width, 1 or 3), of `shape`.

    `data.resize` is `pad`, which fits the whole picture and fills the rest with `data.background`,
    black by default; `crop`, which fills the area and cuts the overhang, both centred; or
    `stretch`, which changes proportions. `own` is the height and width of a picture that was
    decoded at a reduced size, whose proportions are rounded.
    """
    size = (shape[1], shape[0])
    if data.resize != "pad":
        picture = RESIZE[data.resize](picture, size, METHOD)
        return np.asarray(picture, np.uint8).reshape(shape)
    # ImageOps.pad fails for very narrow images, and cannot repeat the edge
    rows, columns = inside(own or (picture.height, picture.width), shape)
    inner = columns.stop - columns.start, rows.stop - rows.start
    pixels = np.asarray(picture.resize(inner, METHOD), np.uint8).reshape(inner[1], inner[0], -1)
    if data.background == "edge":
        ends = ((rows, shape[0]), (columns, shape[1]))
        margins = [(part.start, side - part.stop) for part, side in ends]
        return np.pad(pixels, [*margins, (0, 0)], mode="edge")
    colour = {"white": 255, "mean": pixels.mean(axis=(0, 1)).round()}.get(data.background or "", 0)
    canvas = np.full(shape, colour, np.uint8)
    canvas[rows, columns] = pixels
    return canvas


def inside(size: Sequence[int], shape: Sequence[int]) -> tuple[slice, slice]:
    """Return the rows and columns of a padded image that show the picture.

    `size` is the picture's own height and width, and `shape` the image's.
    """
    scale = min(shape[0] / size[0], shape[1] / size[1])
    inner = [max(1, round(side * scale)) for side in size]
    starts = [(shape[axis] - inner[axis]) // 2 for axis in (0, 1)]
    rows, columns = (slice(start, start + side) for start, side in zip(starts, inner, strict=True))
    return rows, columns


def upright(image: Image.Image, mode: str, data: Data, bits: int = 16) -> Image.Image:
    """Return the first frame in mode L (grey by ITU-R 601) or RGB, 8 bits per channel.

    Pixels of 16 bits are scaled from `bits` to 8. Transparency becomes `data.background`: white by
    default, and the mean colour of the opaque pixels for `edge` too. The EXIF orientation is
    applied.
    """
    orientation = _orientation(image)
    if image.mode in ("I", "F"):
        raise UnreadableError("has pixels of 32 bits; only 8 and 16 are supported")
    # Pillow keeps the upper 8 bits of such pixels, so those of fewer than 16 bits would be dark.
    is_deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    if bits != 16 and is_deep and not is_wide(image):
        raise UnreadableError(f"has 16 bits in several channels, but data.bits is {bits}, not 16")
    with _pillow_errors():
        image.load()
    if is_wide(image):
        wide, most = np.asarray(image).astype(np.uint32), 2**bits - 1
        if wide.max() > most:
            raise UnreadableError(f"has pixels up to {wide.max():,}, more than {bits} bits hold")
        image = Image.fromarray(((wide * 255 + most // 2) // most).astype(np.uint8))
    with _pillow_errors():  # the palette or the transparent colour may be invalid too
        if image.has_transparency_data:
            image = image.convert("RGBA")
            behind = Image.new("RGBA", image.size, _behind(image, data.background))
            image = Image.alpha_composite(behind, image)
        image = image.convert(mode)
    image.info.clear()  # exif_transpose would fail where the EXIF is damaged
    image.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(image)


def _behind(image: Image.Image, background: str | None) -> str | tuple[int, ...]:
    """Return the colour behind the transparent pixels of an RGBA image."""
    if background not in ("edge", "mean"):
        return background or "white"
    pixels = np.asarray(image, float).reshape(-1, 4)
    weights = pixels[:, 3] if pixels[:, 3].any() else None
    return tuple(np.average(pixels[:, :3], axis=0, weights=weights).round().astype(int).tolist())


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing or invalid."""
    # Pillow rotates TIFF itself, and would decode all pixels of a PNG to look for EXIF after them.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF does not make the pixels unreadable
        return 1
    return value if value in range(1, 9) else 1
