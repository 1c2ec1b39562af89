import keras
import numpy as np
import pytest

from stages.augment.views import moved
from stages.engine.latency import measure, multiply_adds, products

layers = keras.layers


@pytest.mark.slow
def test_a_file_of_two_members_costs_what_both_do(tmp_path):
    pixels = keras.Input((6, 5, 3))
    convolved = layers.Conv2D(4, 3, padding="same")(pixels)
    spread = layers.DepthwiseConv2D(3, padding="same")(convolved)
    body = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(spread)))
    votes = [layers.Softmax(name=f"vote_{n}")(body(pixels)) for n in range(2)]
    keras.Model(pixels, layers.Average()(votes)).save(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 3), np.uint8)
    found = measure(tmp_path / "model.keras", images, calls=5, kernels="portable")
    assert found["members"] == 2
    assert found["parameters"] == body.count_params()
    assert found["multiply_adds"] == 30 * 4 * 27 + 30 * 4 * 9 + 120 * 2
    assert found["file_bytes"] == (tmp_path / "model.keras").stat().st_size
    assert 0 < found["one_image_ms"]["median"] <= found["one_image_ms"]["p95"] < found["first_ms"]
    assert found["images_per_second"] > 0


def test_a_layer_without_a_formula_leaves_the_sum_open():
    model = keras.Sequential([keras.Input((6, 2)), layers.Conv1D(3, 2)])
    with pytest.raises(ValueError, match="Conv1D"):
        products(model)
    assert multiply_adds(model) is None


def test_a_layer_computes_for_every_view_of_the_models_that_contain_it():
    pixels = keras.Input((6, 5, 3))
    convolve = layers.Conv2D(4, 3, padding="same")
    head = keras.Sequential([keras.Input((6, 5, 4)), layers.Flatten(), layers.Dense(2)])
    moves = [[-1, 0, 4, 0, 1, 0, 0, 0], [1, 0, 0, 0, -1, 5, 0, 0]]
    seen = keras.ops.concatenate([pixels, *(moved(pixels, np.array(one)) for one in moves)], axis=0)
    of_views = keras.Model(pixels, head(convolve(seen)))
    plain = keras.Model(pixels, head(convolve(pixels)))
    expected = [30 * 4 * 27, 120 * 2]
    assert products(plain) == expected
    assert products(of_views) == [3 * each for each in expected]
    both = keras.Model(pixels, [of_views(pixels), plain(pixels)])
    assert multiply_adds(both) == (3 + 1) * sum(expected)
