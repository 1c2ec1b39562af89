from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from stages.augment.pixels import _bilinear, brightness, elastic, flip, noise, random_erasing

SEED = tf.constant([3, 4])


def test_bilinear_takes_the_weighted_mean_of_four_and_black_outside():
    image = np.arange(12, dtype="f4").reshape(1, 3, 4, 1)
    down, across = np.zeros((2, 1, 3, 4), "f4")
    down[0, 0], across[0, 0] = [0, 0.5, -0.25, 99], [2, 0.25, 1, 1]
    colours = _bilinear(tf, tf.constant(image), tf.constant(down), tf.constant(across)).numpy()
    # Rows are 0 1 2 3 and 4 5 6 7: 0.25 + 2 between them; a quarter outside leaves 0.75 of 1.
    np.testing.assert_allclose(colours[0, 0, :, 0], [2, 2.25, 0.75, 0], atol=1e-6)


def displacements(**arguments):
    """Return how elastic changes a ramp of slope 1: the vertical displacement of each pixel."""
    ramp = np.zeros((20, 61, 61, 1), "f4") + np.arange(61, dtype="f4")[:, None, None]
    moved = elastic(tf, tf.constant(ramp), SEED, **arguments).numpy()
    return (moved - ramp)[:, 10:-10, 10:-10]  # the edges mix with black


def test_elastic_displaces_smoothly_by_the_pixels_it_says():
    """Neighbours of a field smoothed by a Gaussian differ by 1 / (sqrt(2) sigma)."""
    for pixels, sigma in ((1.0, 2.0), (1.5, 3.0)):
        change = displacements(pixels=pixels, sigma=sigma)
        assert change.std() == pytest.approx(pixels, rel=0.1)
        assert change.mean() == pytest.approx(0, abs=0.2)
        roughness = np.diff(change, axis=2).std()
        assert roughness == pytest.approx(pixels / (2**0.5 * sigma), rel=0.1)


def test_erase_blackens_one_rectangle_up_to_its_fraction():
    images = np.full((300, 20, 10, 2), 200, "f4")
    black = random_erasing(tf, tf.constant(images), SEED, fraction=0.5).numpy() == 0
    np.testing.assert_array_equal(black[..., 0], black[..., 1])
    rows, columns = black[..., 0].any(2), black[..., 0].any(1)
    np.testing.assert_array_equal(black[..., 0], rows[:, :, None] & columns[:, None, :])
    assert rows.sum(1).max() in (9, 10)
    assert columns.sum(1).max() in (4, 5)
    assert rows.any(0).all()  # every position occurs
    assert columns.any(0).all()


def test_noise_has_the_deviation_it_says():
    gray = np.full((10, 40, 40, 1), 128, "f4")
    assert noise(tf, tf.constant(gray), SEED, deviation=15).numpy().std() == pytest.approx(
        15, rel=0.05
    )


def test_brightness_multiplies_within_its_factor():
    gray = np.full((400, 2, 2, 1), 100, "f4")
    lit = brightness(tf, tf.constant(gray), SEED, factor=0.4).numpy()
    assert (lit == lit[:, :1, :1]).all()
    assert lit.min() == pytest.approx(60, abs=1)
    assert lit.max() == pytest.approx(140, abs=1)


@pytest.mark.parametrize(("horizontal", "vertical"), [(True, False), (False, True), (True, True)])
def test_flip_mirrors_half_of_the_images_each_way(horizontal, vertical):
    one = np.arange(6, dtype="f4").reshape(2, 3, 1)
    flipped = flip(
        tf,
        tf.constant(np.repeat(one[None], 400, 0)),
        SEED,
        horizontal=horizontal,
        vertical=vertical,
    ).numpy()
    kinds = Counter(image.tobytes() for image in flipped)
    expected = {
        one[:: 1 - 2 * down, :: 1 - 2 * across].tobytes()
        for down in {False, vertical}
        for across in {False, horizontal}
    }
    assert set(kinds) == expected
    assert min(kinds.values()) > 400 / len(kinds) * 0.7
