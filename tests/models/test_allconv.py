import numpy as np

from tests.models.built import convolutions, model


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


def test_pixels_are_scaled_inside_the_model():
    pixels = np.array([0, 255], "f4").reshape(1, 2, 1, 1)
    _, to_one, to_both = model("m5").layers[:3]
    np.testing.assert_allclose(to_one(pixels).numpy().ravel(), [0, 1], atol=1e-6)
    np.testing.assert_allclose(to_both(to_one(pixels)).numpy().ravel(), [-1, 1], atol=1e-6)
