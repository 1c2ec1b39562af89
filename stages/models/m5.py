"""A network of large filters without pooling or padding, intended for GPUs.

Parameter counts are for images of 28x28x1 and ten classes.
"""

from stages.models import architecture


@architecture
def m5(layers, images, classes):
    """Convolve five times with 5x5 filters, then one dense layer: 1,129,160 parameters.

    Convolutions with 32, 64, 96, 128 and 160 filters, without padding or bias, each followed by
    BatchNormalization and ReLU. Pixels are rescaled to -1 to 1. The dense layer has no bias and is
    also followed by BatchNormalization. Source: M5 in An, Lee, Park, Yang and So, "An ensemble of
    simple convolutional neural network models for MNIST digit recognition" (2020).
    """

    def normalize(x):
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    x = layers.Rescaling(2.0, offset=-1.0)(images)
    for filters in (32, 64, 96, 128, 160):
        x = layers.ReLU()(normalize(layers.Conv2D(filters, 5, use_bias=False)(x)))
    x = layers.Flatten()(x)
    return normalize(layers.Dense(classes, use_bias=False)(x))
