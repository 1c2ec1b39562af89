"""The five reference CNNs, one for each public MNIST project that Foldlab is based on.

Values that a project's README does not state are our choice, given as an argument's default.
"""

from typing import Annotated, Literal

from pydantic import Field

from stages.models import Rate, Units, architecture, classify


def _blocks(layers, x, momentum=None, dropout=None):
    """Convolve and pool twice, with BatchNormalization and Dropout unless None."""
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        if momentum is not None:
            x = layers.BatchNormalization(momentum=momentum)(x)
        x = layers.MaxPooling2D()(x)
        if dropout is not None:
            x = layers.Dropout(dropout)(x)
    return x


@architecture
def basic(layers, images, classes, *, dense: Units = 128, dropout: Rate = 0.5):
    """Two 3x3 convolutions, each followed by pooling, and one dense layer: 225,034 parameters."""
    return classify(layers, _blocks(layers, images), classes, dense, dropout)


@architecture
def batchnorm(layers, images, classes, *, dense: Units = 128, momentum: Rate = 0.9):
    """Like `basic`, with BatchNormalization after each convolution: 225,418 parameters."""
    return classify(layers, _blocks(layers, images, momentum=momentum), classes, dense)


@architecture
def dropout(
    layers,
    images,
    classes,
    *,
    dense: Units = 128,
    conv_dropout: Rate = 0.25,
    dense_dropout: Rate = 0.5,
):
    """Like `basic`, with Dropout also after each pooling: 225,034 parameters."""
    x = _blocks(layers, images, dropout=conv_dropout)
    return classify(layers, x, classes, dense, dense_dropout)


@architecture
def stacked(layers, images, classes, *, dense: Units = 64, dropout: Rate = 0.5):
    """Three 3x3 convolutions with two poolings between them, and Dropout: 93,322 parameters."""
    x = _blocks(layers, images)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    return classify(layers, x, classes, dense, dropout)


@architecture
def double_conv(
    layers,
    images,
    classes,
    *,
    kernel: Annotated[int, Field(ge=1, le=11)] = 5,
    padding: Literal["same", "valid"] = "same",
    dense: Units = 256,
    conv_dropout: Rate = 0.25,
    dense_dropout: Rate = 0.5,
):
    """Two pairs of convolutions, each followed by pooling and Dropout: 887,530 parameters.

    `kernel` is the filter size of the first pair; the second pair has 3x3 filters. With 3x3
    filters everywhere and no padding, it takes a third of the time.
    """
    x = images
    for filters, side in ((32, kernel), (64, 3)):
        x = layers.Conv2D(filters, side, padding=padding, activation="relu")(x)
        x = layers.Conv2D(filters, side, padding=padding, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(conv_dropout)(x)
    return classify(layers, x, classes, dense, dense_dropout)
