"""Properties of every architecture."""

import inspect

import keras
import numpy as np
import pytest

from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.models import ARCHITECTURES, build
from stages.settings import params
from tests.models.built import model
from tests.settings.test_params import CONTENT, HERE

BUILT = sorted(set(ARCHITECTURES) - {"from_model"})  # tested in test_transfer.py
each = pytest.mark.parametrize("name", BUILT)


@each
def test_raw_pixels_become_one_score_a_class_with_the_documented_parameters(name):
    assert f"{model(name).count_params():,} parameters" in inspect.getdoc(ARCHITECTURES[name])
    for shape, classes in (((28, 28, 1), 10), ((32, 28, 3), 2)):
        pixels = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype("float32")
        scores = model(name, shape, classes)(pixels).numpy()
        assert (scores.shape, scores.dtype) == ((3, classes), np.float32)
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
