"""Pictures drawn for tests, and a user's sources made of them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def pixels(seed=0, height=8, width=9, channels=1):
    """Return noise, uint8 (height, width, channels), different for each seed."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, channels), np.uint8)


def encoded(array, kind="PNG", **options):
    """Return the bytes of an image file; `array` is (height, width[, channels]) or an image."""
    file = io.BytesIO()
    if isinstance(array, np.ndarray) and array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(file, kind, **options)
    return file.getvalue()


def deep_png(array):
    """Return a PNG file with 16 bits in 1 to 4 channels, which Pillow cannot write."""
    height, width, channels = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, part in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(part)) + name + part
        content += struct.pack(">I", zlib.crc32(name + part))
    return content


def idx(array):
    """Return the bytes of an IDX file of unsigned bytes."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def tree(top, files):
    """Write files: path below `top` -> bytes, or an array that becomes a PNG file; return `top`."""
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else encoded(content))
    return top


def classes(*folders, each=3, **size):
    """Return the files of a tree with `each` different pictures in each class folder."""
    names = [f"{folder}/{number}.png" for folder in folders for number in range(each)]
    return {name: pixels(seed, **size) for seed, name in enumerate(names)}


def table(images, labels, at=0, form="{}"):
    """Return a CSV file of pixels, with the column `label` at place `at`."""
    rows = [[form.format(pixel) for pixel in image.ravel()] for image in images]
    rows.insert(0, [f"p{number}" for number in range(len(rows[0]))])
    for row, label in zip(rows, ["label", *labels], strict=True):
        row.insert(at, str(label))
    return "\n".join(map(",".join, rows)) + "\n"
