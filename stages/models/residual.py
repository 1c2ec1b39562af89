"""Residual networks, sized for small images.

Parameter counts are for images of 28x28x1 and ten classes.
"""

from typing import Annotated, Literal

from pydantic import Field

from stages.models import architecture

Rate = Annotated[float, Field(ge=0, lt=1)]

# size -> filters of each stage, residual blocks in each
SIZES = {"small": ((16, 32, 64), 1), "medium": ((32, 64, 128), 2)}


@architecture
def resnet(
    layers,
    images,
    classes,
    *,
    size: Literal["small", "medium"] = "small",
    dropout: Rate = 0.0,
    momentum: Rate = 0.9,
):
    """Add what 3x3 convolutions find to what came in, three stages: 78,426 parameters.

    A 3x3 convolution, then three stages, each a 2x2 MaxPooling and residual blocks: two 3x3
    convolutions with BatchNormalization whose result is added to the block's input, which a 1x1
    convolution widens where a stage begins. Averages over the image, Dropout and one dense layer
    follow. `small` has one block a stage and 16, 32 and 64 filters; `medium` has two and twice
    the filters: 698,282 parameters. Source: He et al., "Deep residual learning for image
    recognition" (2016), with poolings for its strides.
    """
    widths, blocks = SIZES[size]

    def convolve(x, filters, side):
        x = layers.Conv2D(filters, side, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=momentum)(x)

    x = layers.ReLU()(convolve(images, widths[0], 3))
    for filters in widths:
        x = layers.MaxPooling2D()(x)
        for _ in range(blocks):
            found = layers.ReLU()(convolve(x, filters, 3))
            found = convolve(found, filters, 3)
            came = x if x.shape[-1] == filters else convolve(x, filters, 1)
            x = layers.ReLU()(layers.Add()([found, came]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)
