"""Occlusion: how much a prediction depends on each part of an image.

A window is moved over the image and hides what is below it. Where the probability of the predicted
class drops, the model looked. Source: M. Zeiler and R. Fergus, "Visualizing and understanding
convolutional networks", ECCV 2014, section 4.2. Unlike Grad-CAM it needs only predictions, so it
works for every model: ensembles, averages over views, and models without a convolution.
"""

import math
from collections.abc import Callable

import numpy as np

GRID = 8  # places of the window, down and across
PART = 4  # the window's sides are those of the image divided by this
BYTES = 2**28  # of covered images that are in memory at a time


def explain(
    images: np.ndarray, probability: np.ndarray, score: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return `drops` of images to which a model gives this probability: float32 (n, GRID, GRID).

    `score` maps images to probabilities; for the other arrays see `covered` and `drops`.
    """
    size = max(1, BYTES // (GRID**2 * math.prod(images.shape[1:])))
    parts = [np.zeros((0, GRID, GRID), np.float32)]
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        parts.append(drops(probability[part], score(covered(images[part]))))
    return np.concatenate(parts)


def covered(images: np.ndarray) -> np.ndarray:
    """Return each image with each window hidden: uint8 (n * GRID**2, height, width, channels).

    `images` is uint8 (n, height, width, channels). A window has the median colour of its image. The
    first and the last windows are centred on the borders.
    """
    n, height, width, channels = images.shape
    colour = np.median(images.reshape(n, -1, channels), axis=1).astype(np.uint8)
    result = np.repeat(images[:, None, None], GRID, 1).repeat(GRID, 2)
    for row in range(GRID):
        for column in range(GRID):
            down, across = _window(row, height), _window(column, width)
            result[:, row, column, down, across] = colour[:, None, None]
    return result.reshape(-1, height, width, channels)


def drops(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return how much the predicted class loses below each window: float32 (n, GRID, GRID).

    `before` is the probability of each class, float (n, classes), and `after` that for the images
    of `covered`, float (n * GRID**2, classes). Values are from -1 to 1.
    """
    rows, predicted = np.arange(len(before)), before.argmax(axis=1)
    left = after.reshape(len(before), GRID, GRID, -1)[rows, :, :, predicted]
    return (before[rows, predicted][:, None, None] - left).astype(np.float32)


def _window(number: int, side: int) -> slice:
    """Return the pixels of a window along one side of the image."""
    middle = number * (side - 1) / (GRID - 1) + 0.5
    half = max(side / PART, 1) / 2
    return slice(max(0, round(middle - half)), round(middle + half))
