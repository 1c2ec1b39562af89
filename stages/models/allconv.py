"""Convolutions with learned pooling: strides in place of MaxPooling.

Parameter counts are for images of 28x28x1 and ten classes.
"""

from typing import Annotated

from pydantic import Field

from stages.models import architecture

Rate = Annotated[float, Field(ge=0, lt=1)]


@architecture
def allconv(layers, images, classes, *, dropout: Rate = 0.4, momentum: Rate = 0.99):
    """Convolve all the way down to 1x1, with strides for pooling: 327,242 parameters.

    Twice: two of 3x3, then one of 5x5 with stride 2, then Dropout; 32 filters, then 64. At the
    end 128 filters of 4x4, Flatten, Dropout and one dense layer. BatchNormalization follows the
    ReLU of every convolution. Source: Chris Deotte, "25 Million Images! [0.99757] MNIST" (Kaggle,
    2018), which soft-votes fifteen of them.
    """

    def convolve(x, filters, side, **how):
        x = layers.Conv2D(filters, side, activation="relu", **how)(x)
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
