"""Mixing ops: combine each image and its label with another of the batch.

An op is a function `(tf, images, labels, seed, *, arguments) -> (images, labels)`; see `augmenter`.
The other image is drawn from the batch without replacement and may be the image itself.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from stages.augment import keys
from stages.settings.registry import register

MIXING: dict[str, Callable] = {}
mixing = register(MIXING)

Alpha = Annotated[float, Field(ge=0, le=100)]


@mixing
def mixup(tf, images, labels, seed, *, alpha: Alpha):
    """Blend each image with another; its weight is drawn from Beta(`alpha`, `alpha`).

    With `alpha` 0 nothing changes. Source: Zhang et al., "mixup: Beyond empirical risk
    minimization" (2018), with a weight per image instead of per batch.
    """
    if not alpha:
        return images, labels
    share, other = _draw(tf, images, seed, alpha)
    theirs = tf.gather(images, other)
    images = theirs + (images - theirs) * share[:, None, None, None]
    return images, _blend(tf, labels, other, share)


@mixing
def cutmix(tf, images, labels, seed, *, alpha: Alpha):
    """Replace a rectangle of each image with that of another image.

    The fraction that remains is drawn from Beta(`alpha`, `alpha`); with `alpha` 0 nothing changes.
    Rectangles may be clipped at the edges; labels are mixed by the actual fraction of pixels.
    Source: Yun et al., "CutMix: Regularization strategy to train strong classifiers with
    localizable features" (2019).
    """
    if not alpha:
        return images, labels
    share, other = _draw(tf, images, seed, alpha)
    centre = tf.random.stateless_uniform([2, tf.shape(images)[0], 1], keys.part(tf, seed, 3))
    half = tf.sqrt(1 - share)[:, None] / 2
    inside = []
    for axis, side in enumerate(images.shape[1:3]):
        pixel_centres = (tf.range(side, dtype=tf.float32) + 0.5) / side
        inside.append(tf.abs(pixel_centres - centre[axis]) < half)
    rectangle = inside[0][:, :, None] & inside[1][:, None, :]
    images = tf.where(rectangle[..., None], tf.gather(images, other), images)
    share = 1 - tf.reduce_mean(tf.cast(rectangle, tf.float32), axis=[1, 2])
    return images, _blend(tf, labels, other, share)


def _draw(tf, images, seed, alpha: float):
    """Draw each image's own share, float32 (n,) from Beta(alpha, alpha), and its partner's row."""
    count = tf.shape(images)[0]
    one, two = (
        tf.random.stateless_gamma([count], keys.part(tf, seed, number), alpha) for number in (0, 1)
    )
    share = tf.math.divide_no_nan(one, one + two)  # with a small alpha both can underflow to 0
    return share, tf.argsort(tf.random.stateless_uniform([count], keys.part(tf, seed, 2)))


def _blend(tf, labels, other, share):
    """Mix labels, float32 (n, classes): `share` of each image's own, the rest of `other`'s."""
    theirs = tf.gather(labels, other)
    return theirs + (labels - theirs) * share[:, None]
