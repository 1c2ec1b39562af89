import numpy as np
import pytest

from stages.engine import shrunk_images
from stages.errors import UserError
from tests.prepared import recipe


@pytest.fixture
def images(folder):
    return np.random.default_rng(0).integers(0, 256, (10, 8, 12, 3), np.uint8)


def shrinking(factor):
    return recipe().model_copy(update={"shrink": factor})


def test_each_recipe_gets_the_images_of_its_size_computed_once(images, monkeypatch):
    monkeypatch.setattr(shrunk_images, "BLOCK", 4)  # the last block is smaller
    recipes = {"a": shrinking(1), "b": shrinking(4), "c": shrinking(4)}
    found = shrunk_images.inputs(recipes, images)
    assert found["a"] is images
    assert found["b"] is found["c"]
    assert (found["b"].shape, found["b"].dtype) == ((10, 2, 3, 3), np.float32)
    assert found["b"][9, 1, 2, 0] == images[9, 4:8, 8:12, 0].mean()
    monkeypatch.setattr(shrunk_images, "shrunk", None)  # a second call reads the file
    np.testing.assert_array_equal(shrunk_images.inputs(recipes, images)["b"], found["b"])


def test_other_images_are_not_confused(images):
    first = shrunk_images.inputs({"a": shrinking(2)}, images)["a"]
    second = shrunk_images.inputs({"a": shrinking(2)}, images[::-1])["a"]
    np.testing.assert_array_equal(first[::-1], second)


def test_other_code_computes_them_again(images, monkeypatch):
    first = shrunk_images.inputs({"a": shrinking(2)}, images)["a"]
    monkeypatch.setattr(shrunk_images.identity, "code", lambda: [("shrink.py", "other")])
    second = shrunk_images.inputs({"a": shrinking(2)}, images)["a"]
    assert first.filename != second.filename


def test_sides_that_the_factor_does_not_divide_are_refused():
    shrunk_images.check(shrinking(4), {"image_shape": [8, 12, 3]})
    with pytest.raises(UserError, match=r"variants\.small\.shrink is 8.*8x12"):
        shrunk_images.check(shrinking(8), {"image_shape": [8, 12, 3]})
