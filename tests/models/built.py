"""Build architectures with checked arguments, each once, and list their layers."""

from functools import cache

import keras

from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named


@cache
def model(name, shape=(28, 28, 1), classes=10, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), shape, classes)


def kinds(name, **arguments):
    return [type(layer).__name__ for layer in model(name, **arguments).layers]


def convolutions(name):
    """Return filters, side and stride of each convolution."""
    layers = [layer for layer in model(name).layers if isinstance(layer, keras.layers.Conv2D)]
    return [(layer.filters, layer.kernel_size[0], layer.strides[0]) for layer in layers]
