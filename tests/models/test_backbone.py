import inspect
import re

import keras
import numpy as np
import pytest

from stages.models import ARCHITECTURES, build
from stages.models.backbone import BACKBONES, body
from stages.settings.registry import check_arguments
from stages.settings.sections import Named

pytestmark = pytest.mark.slow  # imports Keras


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_images_of_any_side_from_32_become_features(name):
    model = body(name, (32, 49, 3))
    (_, features) = model.output_shape
    document = inspect.getdoc(BACKBONES[name])
    assert f"{features:,} features, {model.count_params():,} parameters" in document
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 49, 3)).astype("f4")
    assert np.isfinite(model(pixels)).all()


def test_gray_images_are_taken_as_gray_colours():
    gray, rgb = (body("efficientnet_lite0", (32, 32, channels)) for channels in (1, 3))
    rgb.set_weights(gray.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype("f4")
    np.testing.assert_array_equal(gray(pixels), rgb(np.repeat(pixels, 3, axis=3)))


@pytest.mark.parametrize(("dense", "count"), [(None, 10 * 4 + 4), (5, 10 * 5 + 5 + 5 * 4 + 4)])
def test_a_head_takes_features_as_they_are(dense, count):
    arguments = {"name": "efficientnet_lite0", "dense": dense}
    architecture = Named(
        name="backbone", arguments=check_arguments(ARCHITECTURES["backbone"], arguments, "")
    )
    head = build(architecture, (10,), 4)
    assert (head.input_shape, head.output_shape) == ((None, 10), (None, 4))
    assert head.count_params() == count
    assert "Rescaling" not in {type(layer).__name__ for layer in head.layers}


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("mobilenet_v3_small", r"expanded_conv_(8_(?!expand)|9|10)|conv_1"),
        ("convnext_tiny", r"convnext_tiny_(downsampling_block_2|stage_3)|layer_normalization"),
    ],
)
def test_the_last_stage_starts_where_the_height_is_halved_last(name, last):
    """Not with 1x1 pixels earlier, as in squeeze-and-excitation, nor with the pooled features."""
    arguments = {"name": name, "weights": None, "freeze": 1}
    model = build(Named(name="backbone", arguments=arguments), (64, 64, 3), 4)
    for layer in model.get_layer("backbone").layers:
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization):
            assert layer.trainable == bool(re.match(last, layer.name)), layer.name
