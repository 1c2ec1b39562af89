import keras
import numpy as np
import pytest

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
