"""Where a model looks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.statistics import occlusion
from stages.statistics.occlusion import GRID

RANDOM = np.random.default_rng(0)


def looks_at(row, column):
    """Return a model of two classes that sees a single pixel."""

    def score(images):
        value = images[:, row, column, 0] / 255.0
        return np.stack([1 - value, value], axis=1)

    return score


@given(st.integers(8, 40), st.integers(8, 40), st.integers(0, 39), st.integers(0, 39))
def test_the_probability_drops_where_the_pixel_is_that_the_model_sees(height, width, row, column):
    row, column = row % height, column % width
    images = np.zeros((1, height, width, 1), np.uint8)
    images[0, row, column] = 255
    score = looks_at(row, column)
    (drop,) = occlusion.explain(images, score(images), score)
    assert set(np.unique(drop)) <= {0.0, 1.0}
    down, across = np.nonzero(drop)
    assert len(down), "every pixel is below a window"
    near = 1.5 / (GRID - 1) + 1 / 8
    assert np.abs(down / (GRID - 1) - row / (height - 1)).max() <= near
    assert np.abs(across / (GRID - 1) - column / (width - 1)).max() <= near


def test_images_in_small_parts_give_the_same(monkeypatch):
    images = RANDOM.integers(0, 256, (5, 9, 12, 3), np.uint8)
    score = looks_at(4, 5)
    whole = occlusion.explain(images, score(images), score)
    assert whole.shape == (5, GRID, GRID)
    monkeypatch.setattr(occlusion, "BYTES", 1)
    np.testing.assert_array_equal(occlusion.explain(images, score(images), score), whole)


def test_a_window_has_the_median_colour_and_leaves_the_rest():
    images = RANDOM.integers(0, 256, (2, 16, 16, 3), np.uint8)
    hidden = occlusion.covered(images).reshape(2, GRID, GRID, 16, 16, 3)
    changed = (hidden != images[:, None, None]).any(axis=-1)
    assert changed.any(axis=(3, 4)).all()
    assert changed.mean(axis=(3, 4)).max() <= 1 / 16
    median = np.median(images[0].reshape(-1, 3), axis=0).astype(np.uint8)
    assert (hidden[0][changed[0]] == median).all()


def test_no_image_gives_no_drop():
    nothing = np.zeros((0, 8, 8, 1), np.uint8)
    found = occlusion.explain(nothing, np.zeros((0, 2)), pytest.fail)
    assert found.shape == (0, GRID, GRID)
