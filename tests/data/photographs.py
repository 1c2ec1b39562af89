"""Pieces of scikit-learn's two photographs, and typical edited copies of them."""

import io
from functools import cache

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SIDE = 96  # pixels of a piece
DISTINCT = (0, 9, 18, 27, 30, 36, 40, 45)  # pieces that show different things


@cache
def photographs() -> list[np.ndarray]:
    return load_sample_images().images


@cache
def pieces() -> tuple[Image.Image, ...]:
    """Return 48 pieces that do not overlap."""
    starts = [
        (top, left) for top in range(0, 427 - SIDE, SIDE) for left in range(0, 640 - SIDE, SIDE)
    ]
    return tuple(
        Image.fromarray(photo[top : top + SIDE, left : left + SIDE])
        for photo in photographs()
        for top, left in starts
    )


@cache
def buildings() -> tuple[Image.Image, ...]:
    """Return 36 pieces of 64 x 64 pixels of the photograph of a temple, all sharp."""
    photo = photographs()[0]
    starts = [(top, left) for top in range(170, 362, 64) for left in range(0, 640, 64)]
    return tuple(Image.fromarray(photo[top : top + 64, left : left + 64]) for top, left in starts)


def encoded(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def cropped(picture: Image.Image, left=0.04, top=0.01, right=0.02, bottom=0.05) -> Image.Image:
    width, height = picture.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return picture.crop(tuple(map(round, box)))


def lighter(picture: Image.Image, factor=1.2) -> Image.Image:
    return picture.point(lambda level: min(255, round(level * factor)))


def images(pictures, side=64) -> np.ndarray:
    """Return pictures at one size, uint8 (n, side, side, channels)."""
    small = [np.asarray(one.resize((side, side), Image.Resampling.BICUBIC)) for one in pictures]
    return np.array(small).reshape(len(small), side, side, -1)
