"""Architectures: the registry, and `build`, which makes a Keras model from a registered name.

An architecture is a function `(layers, images, classes, *, arguments) -> logits`: `layers` is
`keras.layers`, `images` a symbolic tensor (n, height, width, channels) of pixels in 0-1, `classes`
the number of logits, and the keyword-only arguments are its settings, checked by their
annotations. `layers` is passed in so that names and arguments can be checked without Keras.
Parameter counts in docstrings are for images of 28x28x1 and ten classes.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from stages.errors import UserError
from stages.settings.registry import register
from stages.settings.sections import Named

ARCHITECTURES: dict[str, Callable] = {}
architecture = register(ARCHITECTURES)

Rate = Annotated[float, Field(ge=0, lt=1)]
Units = Annotated[int, Field(ge=1, le=65536)]


def classify(layers, x, classes: int, dense: int, dropout: float | None = None):
    """Flatten feature maps, then one dense layer, Dropout unless None, and the logits."""
    x = layers.Flatten()(x)
    x = layers.Dense(dense, activation="relu")(x)
    if dropout is not None:
        x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)


from stages.models import (  # noqa: E402 - fill the registry
    allconv,  # noqa: F401
    backbone,  # noqa: F401
    compact,  # noqa: F401
    plain,  # noqa: F401
    reference,  # noqa: F401
    residual,  # noqa: F401
    transfer,  # noqa: F401
)


def build(named: Named, image_shape: tuple[int, ...], classes: int, layers: Any = None):
    """Build a Keras model from pixels, 0-255 float32 (n, *image_shape), to logits (n, classes).

    With a frozen backbone it is the head, from features, float32 (n, *image_shape), to logits.
    `named` has all arguments; `layers` replaces the namespace `keras.layers`. Initial weights
    depend on Keras' global seed. Raises UserError when the images are too small, or when the
    architecture does not return logits.
    """
    import keras

    layers = layers or keras.layers
    has_pixels = len(image_shape) == 3
    pixels = keras.Input(image_shape, name="pixels" if has_pixels else "features")
    images = keras.layers.Rescaling(1 / 255)(pixels) if has_pixels else pixels
    try:
        logits = ARCHITECTURES[named.name](layers, images, classes, **named.arguments)
    except ValueError as error:
        if "zero or negative" not in str(error):  # Keras' message for an empty feature map
            raise
        height, width = image_shape[:2]
        raise UserError(
            f"architecture {named.name!r} is too deep for images of {height}x{width} pixels; "
            "use larger images or a shallower architecture."
        ) from None
    if tuple(logits.shape) != (None, classes):
        raise UserError(
            f"architecture {named.name!r} returns an array of shape {tuple(logits.shape)}, not the "
            f"logits of {classes} classes, {(None, classes)}; end it with layers.Dense(classes)."
        )
    return keras.Model(pixels, logits, name=named.name)
