import numpy as np
import pytest

from stages.figures.augmentation import augmentation

NAMES = ["rotate (degrees=10)", "noise (deviation=20)", "all of them, in this order"]


def drawn(rows=3, draws=2, n=8, shape=(8, 8, 1)):
    random = np.random.default_rng(0)
    return (
        random.integers(0, 256, (n, *shape), dtype=np.uint8),
        random.integers(0, 256, (rows, draws, n, *shape), dtype=np.uint8),
    )


def test_each_image_is_shown_as_it_is_then_each_draw_of_each_op(texts):
    original, changed = drawn()
    figure = augmentation(original, changed, NAMES, variant="basic")
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    np.testing.assert_array_equal(shown, [*original[..., 0], *changed.reshape(-1, 8, 8)])
    assert [text.get_text() for text in figure.axes[0].texts] == ["original", *NAMES]
    assert "basic: augmentation" in texts(figure)


@pytest.mark.parametrize(
    ("shape", "rows", "n"), [((8, 8, 1), 11, 8), ((40, 20, 3), 3, 2), ((7, 30, 1), 1, 8)]
)
def test_nothing_overlaps(shape, rows, n, no_overlap):
    names = ["an op with very many arguments " * 5, *map(str, range(1, rows))]
    axes = augmentation(*drawn(rows, 2, n, shape), names, variant="basic").axes[0]
    no_overlap([*axes.images, *axes.texts])
    first = axes.images[0].get_window_extent()
    assert first.height / first.width == pytest.approx(shape[0] / shape[1], rel=0.02)
