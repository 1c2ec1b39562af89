import numpy as np
import pytest

from stages.figures import style
from stages.figures.occlusion import beside, occlusion, overlaid


def test_orange_is_strongest_where_the_probability_drops_most():
    image = np.full((28, 28, 1), 100, np.uint8)
    drop = np.zeros((8, 8))
    drop[1, 6] = 0.4
    found = overlaid(image, drop).astype(int)
    orange = found[..., 0] - found[..., 2]
    assert np.unravel_index(orange.argmax(), orange.shape)[0] < 10
    assert np.unravel_index(orange.argmax(), orange.shape)[1] > 18
    assert (found[20, 5] == 100).all()


def test_a_probability_that_drops_nowhere_leaves_the_image():
    image = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)
    grey = np.rint(image.mean(axis=2, keepdims=True)).astype(np.uint8)
    np.testing.assert_array_equal(overlaid(image, -np.ones((8, 8))), grey.repeat(3, axis=2))
    both = beside(image, -np.ones((8, 8)))
    assert both.shape == (10, 24, 3)
    np.testing.assert_array_equal(both[:, :12], image)


def test_the_figure_shows_the_first_mistakes_only_and_may_be_empty():
    images = np.zeros((9, 8, 8, 1), np.uint8)
    found = [(index, 0, 1, 0.9) for index in range(4)]
    drops = np.full((3, 8, 8), 0.25, np.float32)
    figure = occlusion(images, found, drops, ["cat", "dog"], variant="basic")
    (axes,) = figure.axes
    assert len(axes.images) == 3
    assert sum("25 points" in text.get_text() for text in axes.texts) == 3
    assert style.png(occlusion(images, [], drops[:0], ["cat", "dog"], variant="basic"))


@pytest.mark.parametrize(
    ("largest", "text"),
    [(-0.3, "no loss"), (0.004, "no loss"), (0.01, "−1 point"), (0.254, "−25 points")],  # noqa: RUF001
)
def test_the_caption_is_the_largest_loss(largest, text):
    drops = np.full((1, 8, 8), -0.5, np.float32)
    drops[0, 2, 3] = largest
    images = np.zeros((1, 8, 8, 1), np.uint8)
    figure = occlusion(images, [(0, 0, 1, 0.9)], drops, ["cat", "dog"], variant="basic")
    assert figure.axes[0].texts[-1].get_text() == text
