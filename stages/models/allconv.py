"""An all-convolutional network: strided convolutions instead of MaxPooling.

Parameter counts are for images of 28x28x1 and ten classes.
"""

from typing import Annotated

from pydantic import Field

from stages.models import architecture

Rate = Annotated[float, Field(ge=0, lt=1)]


@architecture
def allconv(layers, images, classes, *, dropout: Rate = 0.4, momentum: Rate = 0.99):
    """Convolve down to 1x1, with strided convolutions for pooling: 327,242 parameters.

    Two blocks, of 32 and 64 filters: two 3x3 convolutions, a 5x5 convolution with stride 2, and
    Dropout. Then 128 filters of 4x4, Flatten, Dropout and one dense layer. Every convolution is
    followed by ReLU and BatchNormalization. Source: Chris Deotte, "25 Million Images! [0.99757]
    MNIST" (Kaggle, 2018), which averages the votes of fifteen such networks.
    """

    def convolve(x, filters, side, **arguments):
        x = layers.Conv2D(filters, side, activation="relu", **arguments)(x)
        return layers.BatchNormalization(momentum=momentum)(x)

    x = images
    for filters in (32, 64):
        x = convolve(x, filters, 3)
        x = convolve(x, filters, 3)
        x = convolve(x, filters, 5, strides=2, padding="same")
        x = layers.Dropout(dropout)(x)
    x = convolve(x, 128, 4)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)
