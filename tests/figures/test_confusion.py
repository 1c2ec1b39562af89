from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from stages.figures import style
from stages.figures.confusion import DIAGONAL, confusion_matrix, confusion_matrix_normalized

COUNTS = np.array([[90, 5, 0], [1, 1200, 2], [0, 0, 0]])
NAMES = ["cat", "dog", "$owl_x$"]
BOTH = pytest.mark.parametrize("draw", [confusion_matrix, confusion_matrix_normalized])


def some_counts(classes: int) -> np.ndarray:
    random = np.random.default_rng(classes)
    return random.poisson(0.7, (classes, classes)) + 80 * np.eye(classes, dtype=int)


def cells(figure: Figure) -> dict[tuple[int, int], str]:
    """Return what the cells say, by row and column."""
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
        for text in figure.axes[0].texts
    }


def test_counts_pairs_names_and_n_are_said(texts):
    figure = confusion_matrix(COUNTS, NAMES, variant="basic")
    written = texts(figure)
    assert isinstance(figure, Figure)
    assert cells(figure) == {
        (0, 0): "90", (0, 1): "5", (1, 0): "1", (1, 1): "1,200", (1, 2): "2"
    }  # fmt: skip
    assert "basic: confusion matrix" in written
    assert "n = 1,298 test images, 8 mistakes" in written
    pairs = [text for text in written if "taken for" in text]
    assert pairs == [
        "cat taken for dog: 5 times",
        "dog taken for $owl_x$: 2 times",
        "dog taken for cat: once",
    ]
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == NAMES


def test_normalized_rows_are_percents_of_the_actual_class(texts):
    figure = confusion_matrix_normalized(COUNTS, NAMES, variant="basic")
    # 90 / 95, 5 / 95; 1 / 1203 = .083 %, 1200 / 1203, 2 / 1203; the third row has no images
    assert cells(figure) == {
        (0, 0): "94.7", (0, 1): "5.3", (1, 0): "0.1", (1, 1): "99.8", (1, 2): "0.2"
    }  # fmt: skip
    written = texts(figure)
    assert "cat taken for dog: 5.3 % of the time" in written
    assert "a class without test images has an empty row" in written


def test_a_rare_mistake_is_neither_0_nor_is_its_class_at_100():
    figure = confusion_matrix_normalized(np.array([[9999, 1], [0, 7]]), ["a", "b"], variant="v")
    assert cells(figure) == {(0, 0): ">99.9", (0, 1): "<0.1", (1, 1): "100"}


@BOTH
def test_mistakes_are_coloured_and_the_diagonal_is_muted(draw):
    colours = draw(COUNTS, NAMES, variant="basic").axes[0].images[0].get_array()
    assert tuple(colours[0, 0]) == tuple(colours[1, 1]) == pytest.approx(to_rgb(DIAGONAL))
    assert tuple(colours[0, 2]) == tuple(colours[2, 2]) == (1, 1, 1)
    assert colours[0, 1].sum() < colours[1, 2].sum() < colours[1, 0].sum() < 3


def test_numbers_are_white_on_dark_cells_and_dark_on_light_ones():
    axes = confusion_matrix(COUNTS, NAMES, variant="basic").axes[0]
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours["5"] == "white"
    assert colours["1"] == colours["90"] == style.INK


def test_a_single_mistake_is_not_drawn_as_dark_as_many():
    one = confusion_matrix(np.array([[50, 1], [0, 50]]), ["a", "b"], variant="v")
    many = confusion_matrix(np.array([[50, 30], [0, 50]]), ["a", "b"], variant="v")
    assert one.axes[0].images[0].get_array()[0, 1].sum() > (
        many.axes[0].images[0].get_array()[0, 1].sum()
    )


@BOTH
def test_no_mistakes_and_a_class_never_predicted(draw, texts):
    assert "No mistakes" in texts(draw(np.diag([5, 6]), ["a", "b"], variant="v"))
    figure = draw(np.array([[5, 0], [6, 0]]), ["a", "b"], variant="v")
    assert any(text.startswith("b taken for a: ") for text in texts(figure))


LONG = ["Donaudampfschifffahrtsgesellschaftskapitänsmütze", "northern cardinal", "x", "two words"]


@pytest.mark.parametrize(
    ("draw", "classes", "long"),
    [
        (confusion_matrix, 2, False),
        (confusion_matrix_normalized, 2, True),
        (confusion_matrix_normalized, 10, False),
        (confusion_matrix, 10, True),
        (confusion_matrix_normalized, 25, False),
        (confusion_matrix, 40, True),
        (confusion_matrix_normalized, 103, False),
        (confusion_matrix, 103, True),
    ],
)
def test_nothing_overlaps_or_leaves_the_page(draw, classes, long, fits):
    names = [f"{LONG[i % 4]} {i}" if long else str(i) for i in range(classes)]
    figure = draw(some_counts(classes), names, variant="basic")
    assert fits(figure)
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert 1 < len(labels) <= 40
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert bool(axes.texts) == (classes <= 25)
    side = axes.bbox.width / classes
    assert all(text.get_window_extent().width <= side for text in axes.texts)
