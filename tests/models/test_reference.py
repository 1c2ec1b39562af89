import numpy as np
import pytest

from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named


def model(name, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), (28, 28, 1), 10)


def layers(name):
    return [type(layer).__name__ for layer in model(name).layers]


def test_the_references_hold_the_layers_that_their_readmes_name():
    assert layers("basic") == [
        "InputLayer",
        "Rescaling",
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
        "Dense",
        "Dropout",
        "Dense",
    ]
    assert layers("batchnorm").count("BatchNormalization") == 2
    assert layers("dropout").count("Dropout") == 3
    assert layers("stacked").count("Dropout") == 1
    assert layers("stacked").count("Conv2D") == 3
    double = model("double_conv")
    assert [layer.filters for layer in double.layers if hasattr(layer, "filters")] == [
        32,
        32,
        64,
        64,
    ]


def test_pixels_are_scaled_to_one_inside_the_model():
    scaling = model("basic").layers[1]
    assert float(scaling(np.full((1, 28, 28, 1), 255.0))[0, 0, 0, 0]) == pytest.approx(1.0)
