"""Residual networks, sized for small images."""

from typing import Literal

from stages.models import Rate, architecture

# size -> filters per stage, number of residual blocks in each
SIZES = {"small": ((16, 32, 64), 1), "medium": ((32, 64, 128), 2)}
Size = Literal["small", "medium"]


@architecture
def resnet(
    layers, images, classes, *, size: Size = "small", dropout: Rate = 0.0, momentum: Rate = 0.9
):
    """Three stages of residual blocks: 78,426 parameters.

    A 3x3 convolution, then three stages, each a 2x2 MaxPooling and residual blocks. A block adds
    its input to the result of two 3x3 convolutions with BatchNormalization; where the number of
    channels changes, a 1x1 convolution adapts the input. Global average pooling, Dropout and one
    dense layer follow. `small` has one block per stage and 16, 32 and 64 filters; `medium` has two
    and twice as many filters: 698,282 parameters. Source: He et al., "Deep residual learning for
    image recognition" (2016), with poolings instead of strides.
    """
    widths, blocks = SIZES[size]

    def convolve(x, filters, side):
        x = layers.Conv2D(filters, side, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=momentum)(x)

    x = layers.ReLU()(convolve(images, widths[0], 3))
    for filters in widths:
        x = layers.MaxPooling2D()(x)
        for _ in range(blocks):
            residual = layers.ReLU()(convolve(x, filters, 3))
            residual = convolve(residual, filters, 3)
            shortcut = x if x.shape[-1] == filters else convolve(x, filters, 1)
            x = layers.ReLU()(layers.Add()([residual, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)
