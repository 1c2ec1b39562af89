import numpy as np

from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named


def model(name, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), (28, 28, 1), 10)


def test_its_convolutions_are_the_published_ones():
    made = model("m5")
    convolutions = [layer for layer in made.layers if hasattr(layer, "filters")]
    assert [layer.filters for layer in convolutions] == [32, 64, 96, 128, 160]
    assert {layer.kernel_size for layer in convolutions} == {(5, 5)}
    assert not any(layer.use_bias for layer in convolutions)
    assert convolutions[-1].output.shape == (None, 8, 8, 160)


def test_pixels_enter_as_minus_one_to_one():
    _, to_one, to_both = model("m5").layers[:3]
    pixels = np.array([0, 255], "f4").reshape(1, 2, 1, 1)
    np.testing.assert_allclose(to_both(to_one(pixels)).numpy().ravel(), [-1, 1], atol=1e-6)
