import numpy as np
import pytest

from stages.training.shrink import layer, shrunk

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), np.uint8)


@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_a_pixel_is_the_mean_of_its_block(factor):
    found = shrunk(IMAGES, factor)
    assert (found.shape, found.dtype) == ((5, 32 // factor, 48 // factor, 3), np.float32)
    last = IMAGES[4, -factor:, -factor:, 1].astype(np.float64).mean()
    assert found[4, -1, -1, 1] == last  # exact, since factors are powers of two


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_the_layer_of_a_model_gives_the_same_bits(factor):
    in_model = layer(factor)(IMAGES.astype("f4")).numpy()
    np.testing.assert_array_equal(in_model, shrunk(IMAGES, factor))
