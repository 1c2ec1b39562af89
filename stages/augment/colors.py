"""Pixel ops for photos: colour, blur and greyscale; labels do not change.

An op is a function `(tf, images, seed, *, arguments) -> images`; see `augmenter`. Arithmetic is
element by element, because products of matrices round differently by processor.
"""

from math import ceil, pi
from typing import Annotated

from pydantic import Field

from stages.augment import keys
from stages.augment.pixels import Fraction, pixel

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R 601


@pixel
def color(
    tf,
    images,
    seed,
    *,
    brightness: Fraction = 0.0,
    contrast: Fraction = 0.0,
    saturation: Fraction = 0.0,
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0,
):
    """Change brightness, contrast, saturation and hue at random, in this order.

    The first three are multiplied by a factor between 1 - x and 1 + x. The hue is rotated by up to
    the fraction `hue` of the circle, either way, in YIQ. Grey images have no saturation or hue.
    """

    def draw(number: int, low: float, high: float):
        shape = [tf.shape(images)[0], 1, 1]
        return tf.random.stateless_uniform(shape, keys.part(tf, seed, number), low, high)

    def factor(number: int, most: float):
        return draw(number, 1 - most, 1 + most)[..., None]

    images = tf.clip_by_value(images * factor(0, brightness), 0, 255)
    mean = tf.reduce_mean(luma(images), axis=[1, 2], keepdims=True)
    images = tf.clip_by_value(mean + (images - mean) * factor(1, contrast), 0, 255)
    if images.shape[3] == 1:
        return images
    grey = luma(images)
    images = tf.clip_by_value(grey + (images - grey) * factor(2, saturation), 0, 255)
    if not hue:
        return images
    red, green, blue = (images[..., channel] for channel in range(3))
    y = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    i = 0.596 * red - 0.274 * green - 0.322 * blue
    q = 0.211 * red - 0.523 * green + 0.312 * blue
    angle = 2 * pi * draw(3, -hue, hue)
    cos, sin = tf.cos(angle), tf.sin(angle)
    i, q = i * cos - q * sin, i * sin + q * cos
    turned = [y + 0.956 * i + 0.621 * q, y - 0.272 * i - 0.647 * q, y - 1.106 * i + 1.703 * q]
    return tf.clip_by_value(tf.stack(turned, axis=3), 0, 255)


def luma(images):
    """Return the lightness of images, float32 (n, height, width, 1)."""
    if images.shape[3] == 1:
        return images
    parts = [weight * images[..., channel] for channel, weight in enumerate(LUMA)]
    return (parts[0] + parts[1] + parts[2])[..., None]


@pixel
def blur(tf, images, seed, *, sigma: Annotated[float, Field(ge=0, le=10)]):
    """Blur by a Gaussian whose width is drawn between 0 and `sigma` pixels."""
    radius = ceil(2 * sigma)
    shape = [tf.shape(images)[0], 1, 1, 1]
    width = tf.maximum(tf.random.stateless_uniform(shape, seed, 0, sigma), 1e-2)
    weights = [tf.exp(-(((distance) / width) ** 2) / 2) for distance in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:]) if radius else weights[0]
    for axis in (1, 2):
        images = _smoothed(tf, images, [weight / total for weight in weights], axis)
    return images


def _smoothed(tf, images, weights, axis: int):
    """Sum shifted images along an axis; edges are repeated."""
    radius, side = len(weights) - 1, images.shape[axis]
    rows = [max(0, min(side - 1, at)) for at in range(-radius, side + radius)]
    padded = tf.gather(images, rows, axis=axis)
    shifted = [
        weights[abs(by)] * tf.gather(padded, range(radius + by, radius + by + side), axis=axis)
        for by in range(-radius, radius + 1)
    ]
    return sum(shifted[1:], shifted[0])


@pixel
def grayscale(tf, images, seed, *, probability: Fraction):
    """Turn an image grey with this probability."""
    chance = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed)
    return tf.where(chance < probability, luma(images) + tf.zeros_like(images), images)
