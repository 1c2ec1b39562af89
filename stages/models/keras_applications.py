"""Backbones of `keras.applications`, with the weights that Keras downloads.

With `weights="imagenet"`, Keras takes its file of weights from `models/` in its cache folder, by
default ~/.keras, or downloads it there, and checks its digest where it knows one.
"""

from stages.models.backbone import backbone_network


def _features(application: str, pixels, weights: str | None):
    """Return the mean over all positions of an application's last feature maps."""
    import keras

    network = getattr(keras.applications, application)(
        input_tensor=pixels, include_top=False, pooling="avg", weights=weights
    )
    return network.output


def _signed(layers, pixels):
    """Rescale pixels to -1 to 1, which these applications leave to their users."""
    return layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)


@backbone_network
def mobilenet_v2(layers, pixels, weights=None):
    """MobileNetV2 (Sandler et al. 2018): 1,280 features, 2,257,984 parameters."""
    return _features("MobileNetV2", _signed(layers, pixels), weights)


@backbone_network
def mobilenet_v3_small(layers, pixels, weights=None):
    """MobileNetV3Small (Howard et al. 2019): 576 features, 939,120 parameters."""
    return _features("MobileNetV3Small", pixels, weights)


@backbone_network
def mobilenet_v3_large(layers, pixels, weights=None):
    """MobileNetV3Large (Howard et al. 2019): 960 features, 2,996,352 parameters."""
    return _features("MobileNetV3Large", pixels, weights)


@backbone_network
def efficientnet_v2_b0(layers, pixels, weights=None):
    """EfficientNetV2B0 (Tan and Le 2021): 1,280 features, 5,919,312 parameters."""
    return _features("EfficientNetV2B0", pixels, weights)


@backbone_network
def efficientnet_v2_b1(layers, pixels, weights=None):
    """EfficientNetV2B1 (Tan and Le 2021): 1,280 features, 6,931,124 parameters."""
    return _features("EfficientNetV2B1", pixels, weights)


@backbone_network
def efficientnet_v2_s(layers, pixels, weights=None):
    """EfficientNetV2S (Tan and Le 2021): 1,280 features, 20,331,360 parameters."""
    return _features("EfficientNetV2S", pixels, weights)


@backbone_network
def resnet50_v2(layers, pixels, weights=None):
    """ResNet50V2 (He et al. 2016): 2,048 features, 23,564,800 parameters."""
    return _features("ResNet50V2", _signed(layers, pixels), weights)


@backbone_network
def convnext_tiny(layers, pixels, weights=None):
    """ConvNeXtTiny (Liu et al. 2022): 768 features, 27,820,128 parameters."""
    return _features("ConvNeXtTiny", pixels, weights)
