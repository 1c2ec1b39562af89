"""All-convolutional networks, without pooling."""

from stages.models import Rate, architecture


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


@architecture
def m5(layers, images, classes):
    """Convolve five times with 5x5 filters, then one dense layer: 1,129,160 parameters.

    Convolutions with 32, 64, 96, 128 and 160 filters, without padding or bias, each followed by
    BatchNormalization and ReLU. Pixels are rescaled to -1 to 1. The dense layer has no bias and is
    also followed by BatchNormalization. Intended for GPUs. Source: M5 in An, Lee, Park, Yang and
    So, "An ensemble of simple convolutional neural network models for MNIST digit recognition"
    (2020).
    """

    def normalize(x):
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    x = layers.Rescaling(2.0, offset=-1.0)(images)
    for filters in (32, 64, 96, 128, 160):
        x = layers.ReLU()(normalize(layers.Conv2D(filters, 5, use_bias=False)(x)))
    x = layers.Flatten()(x)
    return normalize(layers.Dense(classes, use_bias=False)(x))
