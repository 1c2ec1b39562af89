"""Shrink images by averaging blocks of pixels, for rows that train on smaller images than others.

Factors are powers of two: then the averages of pixels are exact in float32, so training and the
shipped model see the same values.
"""

import numpy as np


def shrunk(images: np.ndarray, factor: int) -> np.ndarray:
    """Return the averages of blocks of factor x factor pixels.

    `images` are uint8 (n, height, width, channels), with sides that the factor divides; the result
    is float32 (n, height / factor, width / factor, channels).
    """
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // factor, factor, width // factor, factor, channels)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def layer(factor: int):
    """Return the Keras layer that does the same."""
    import keras

    return keras.layers.AveragePooling2D(factor, name="shrink")
