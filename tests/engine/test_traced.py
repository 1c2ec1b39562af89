import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.augment import views
from stages.engine import traced
from stages.settings.sections import Named
from stages.training.export import average, scorer
from tests.engine import exported
from tests.prepared import CLASSES

pytestmark = pytest.mark.slow
OPS = [
    Named(name="rotate", arguments={"degrees": 30}),
    Named(name="zoom", arguments={"factor": 0.3}),
    Named(name="shift", arguments={"fraction": 0.3, "whole": False}),
    Named(name="flip", arguments={"horizontal": True, "vertical": True}),
]


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.integers(0, 99))
def test_gathered_pixels_are_those_of_keras_transformation(height, width, channels, seed):
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, channels))
    (move,) = views.transforms(OPS, 2, seed, (height, width))
    expected = views.moved(keras.ops.cast(images, "float32"), move)
    pixels = keras.Input(images.shape[1:])
    found = keras.Model(pixels, traced.moved(pixels, move))(images.astype("f4"))
    np.testing.assert_allclose(found, expected, atol=0.01)  # of 255


def test_an_ensemble_s_function_takes_any_number_of_raw_images_and_answers_as_its_file(tmp_path):
    path = exported.write(tmp_path / "model.keras", exported.NORMALIZED, views=3)
    files = {"views": path.read_bytes(), "one": exported.write(path, members=1).read_bytes()}
    path.write_bytes(average("both", exported.SHAPE, len(CLASSES), files, "portable"))
    expected, _ = scorer(path, "portable")(exported.IMAGES)
    function = traced.trace(path, "portable").function
    for count in (1, 40):
        found = function(exported.IMAGES[:count])[traced.OUTPUT]
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    types = {one.type for one in function.get_concrete_function().graph.get_operations()}
    assert "Conv2D" in types
    assert "ImageProjectiveTransformV3" not in types


def test_a_refusal_names_the_innermost_layer(tmp_path):
    found = traced.trace(exported.write(tmp_path / "model.keras", members=1), "portable")
    assert "'dense' (Dense)" in str(traced.refusal(found, {"MatMul"}, "ONNX"))
    assert "RFFT" in str(traced.refusal(found, {"RFFT"}, "ONNX"))  # made by the converter
