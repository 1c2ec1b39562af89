"""Every architecture: properties that all have, and the layers that their sources name."""

import inspect
from functools import cache

import keras
import numpy as np
import pytest

from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.models import ARCHITECTURES, build
from stages.settings import params
from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from tests.settings.test_params import CONTENT, HERE

BUILT = sorted(set(ARCHITECTURES) - {"from_model"})  # tested in test_transfer.py
each = pytest.mark.parametrize("name", BUILT)


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


@each
def test_the_documented_parameter_count_is_the_model_s(name):
    assert f"{model(name).count_params():,} parameters" in inspect.getdoc(ARCHITECTURES[name])


@each
@pytest.mark.parametrize(("shape", "classes"), [((28, 28, 1), 10), ((32, 28, 3), 2)])
def test_raw_pixels_become_one_score_a_class(name, shape, classes):
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype("float32")
    scores = model(name, shape, classes)(pixels).numpy()
    assert scores.shape == (3, classes)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "variant", [name for name, row in CONTENT["variants"].items() if row.get("architecture")]
)
def test_every_row_of_params_yaml_is_a_recipe_whose_model_fits_the_default_images(variant):
    made = recipe(params.load(HERE / "params.yaml"), variant)
    assert build(made.architecture, (28, 28, 1), 10).output_shape == (None, 10)


@each
def test_images_too_small_for_the_depth_are_refused_by_name(name):
    with pytest.raises(UserError, match=rf"'{name}'.* 3x3 "):
        model(name, (3, 3, 1))


@each
def test_a_plain_keras_user_can_load_it(name, tmp_path):
    model(name).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(loaded(pixels), model(name)(pixels))


def test_pixels_are_scaled_inside_the_model():
    pixels = np.array([0, 255], "f4").reshape(1, 2, 1, 1)
    _, to_one, to_both = model("m5").layers[:3]
    np.testing.assert_allclose(to_one(pixels).numpy().ravel(), [0, 1], atol=1e-6)
    np.testing.assert_allclose(to_both(to_one(pixels)).numpy().ravel(), [-1, 1], atol=1e-6)


def test_the_references_hold_the_layers_that_their_readmes_name():
    convolve = ["Conv2D", "MaxPooling2D"]
    head = ["Flatten", "Dense", "Dropout", "Dense"]
    assert kinds("basic")[2:] == [*convolve, *convolve, *head]
    assert kinds("stacked")[2:] == [*convolve, *convolve, "Conv2D", *head]
    assert kinds("dropout")[2:] == [*[*convolve, "Dropout"] * 2, *head]
    assert kinds("batchnorm").count("BatchNormalization") == 2
    assert [filters for filters, *_ in convolutions("double_conv")] == [32, 32, 64, 64]


def test_allconv_is_the_published_net():
    assert convolutions("allconv") == [
        *[(32, 3, 1), (32, 3, 1), (32, 5, 2)],
        *[(64, 3, 1), (64, 3, 1), (64, 5, 2)],
        (128, 4, 1),
    ]


def test_arguments_reach_the_layers():
    layers = model("allconv", dropout=0.1, momentum=0.8).layers
    assert {layer.rate for layer in layers if hasattr(layer, "rate")} == {0.1}
    assert {layer.momentum for layer in layers if hasattr(layer, "momentum")} == {0.8}


def test_m5_has_the_published_convolutions():
    assert convolutions("m5") == [(filters, 5, 1) for filters in (32, 64, 96, 128, 160)]


def test_sprint_pools_before_its_relu():
    assert kinds("sprint")[2:8] == ["Conv2D", "MaxPooling2D", "ReLU"] * 2


def test_tiny_has_small_convolutions_and_at_most_ten_thousand_parameters():
    assert model("tiny").count_params() <= 10_000
    found = convolutions("tiny")
    assert {filters for filters, *_ in found} == {8, 16}
    assert sorted(side for _, side, _ in found) == [1, 3, 3, 3, 3, 3, 3]


@pytest.mark.parametrize(("size", "blocks"), [("small", 3), ("medium", 6)])
def test_resnet_s_blocks_add_their_input_and_both_sizes_are_documented(size, blocks):
    assert kinds("resnet", size=size).count("Add") == blocks
    count = model("resnet", size=size).count_params()
    assert f"{count:,} parameters" in inspect.getdoc(ARCHITECTURES["resnet"])


def test_an_unknown_size_is_refused():
    with pytest.raises(UserError, match=r"^resnet\.size is 'huge'"):
        model("resnet", size="huge")
