"""The registered architectures: properties of every one, and the published layers of some."""

import inspect
from functools import cache

import keras
import numpy as np
import pytest

from benchmarks.inputs import SHIPPED
from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.models import ARCHITECTURES, build
from stages.settings import params
from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from tests.settings.defaults import CONTENT

BUILT = sorted(set(ARCHITECTURES) - {"backbone", "from_model"})  # have their own tests
each = pytest.mark.parametrize("name", BUILT)


@cache
def model(name, shape=(28, 28, 1), classes=10, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), shape, classes)


def test_an_architecture_that_returns_no_logits_is_refused(monkeypatch):
    def three(layers, images, classes):
        return layers.Dense(3)(layers.Flatten()(images))

    monkeypatch.setitem(ARCHITECTURES, "three", three)
    with pytest.raises(UserError, match=r"'three' returns .*\(None, 3\).*\(None, 10\)"):
        build(Named(name="three"), (28, 28, 1), 10)


def kinds(name, **arguments):
    return [type(layer).__name__ for layer in model(name, **arguments).layers]


@each
def test_raw_pixels_become_one_score_per_class_with_the_documented_parameters(name):
    assert f"{model(name).count_params():,} parameters" in inspect.getdoc(ARCHITECTURES[name])
    for shape, classes in (((28, 28, 1), 10), ((32, 28, 3), 2)):
        pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype("float32")
        scores = model(name, shape, classes)(pixels).numpy()
        assert (scores.shape, scores.dtype) == ((3, classes), np.float32)
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "variant", [name for name, row in CONTENT["variants"].items() if row.get("architecture")]
)
def test_every_shipped_row_is_a_recipe_whose_model_fits_the_default_images(variant):
    made = recipe(params.load(SHIPPED), variant)
    assert build(made.architecture, (28, 28, 1), 10).output_shape == (None, 10)


@pytest.mark.parametrize("name", sorted({*BUILT} - {"logistic", "majority"}))
def test_images_too_small_for_the_depth_are_refused_by_name(name):
    with pytest.raises(UserError, match=rf"'{name}'.* 3x3 "):
        model(name, (3, 3, 1))


@each
def test_a_plain_keras_user_can_load_it(name, tmp_path):
    model(name).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(loaded(pixels), model(name)(pixels))


@pytest.mark.parametrize(
    ("name", "filters", "sides"),
    [
        ("allconv", [32, 32, 32, 64, 64, 64, 128], [3, 3, 5, 3, 3, 5, 4]),
        ("m5", [32, 64, 96, 128, 160], [5] * 5),
        ("double_conv", [32, 32, 64, 64], [5, 5, 3, 3]),
        ("tiny", [8, 16, 8, 16, 16, 16, 16], [3, 3, 1, 3, 3, 3, 3]),
    ],
)
def test_convolutions_are_the_published_ones(name, filters, sides):
    layers = [layer for layer in model(name).layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in layers] == filters
    assert [layer.kernel_size for layer in layers] == [(side, side) for side in sides]


CONVOLVE, HEAD = ["Conv2D", "MaxPooling2D"], ["Flatten", "Dense", "Dropout", "Dense"]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("basic", [*CONVOLVE, *CONVOLVE, *HEAD]),
        ("stacked", [*CONVOLVE, *CONVOLVE, "Conv2D", *HEAD]),
        ("dropout", [*[*CONVOLVE, "Dropout"] * 2, *HEAD]),
        ("sprint", [*[*CONVOLVE, "ReLU"] * 2, "Flatten", "Dense", "Dense"]),
    ],
)
def test_layers_are_the_published_ones(name, layers):
    assert kinds(name)[2:] == layers


@pytest.mark.parametrize(("size", "blocks"), [("small", 3), ("medium", 6)])
def test_resnet_s_blocks_add_their_input_and_both_sizes_are_documented(size, blocks):
    assert kinds("resnet", size=size).count("Add") == blocks
    count = model("resnet", size=size).count_params()
    assert f"{count:,} parameters" in inspect.getdoc(ARCHITECTURES["resnet"])


def test_arguments_reach_the_layers():
    layers = model("allconv", dropout=0.1, momentum=0.8).layers
    assert {layer.rate for layer in layers if hasattr(layer, "rate")} == {0.1}
    assert {layer.momentum for layer in layers if hasattr(layer, "momentum")} == {0.8}


def test_pixels_are_scaled_inside_the_model():
    pixels = np.array([0, 255], "f4").reshape(1, 2, 1, 1)
    _, to_one, to_both = model("m5").layers[:3]
    np.testing.assert_allclose(to_one(pixels).numpy().ravel(), [0, 1], atol=1e-6)
    np.testing.assert_allclose(to_both(to_one(pixels)).numpy().ravel(), [-1, 1], atol=1e-6)
