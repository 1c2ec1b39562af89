from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from stages.figures.confusion import DIAGONAL, confusion_difference, confusion_matrix
from stages.figures.style import INK

COUNTS = np.array([[90, 5, 0], [1, 1200, 2], [0, 0, 0]])
NAMES = ["cat", "dog", "$owl_x$"]
LONG = ["Donaudampfschifffahrtsgesellschaftskapitänsmütze", "northern cardinal", "x", "two words"]
BOTH = pytest.mark.parametrize("normalized", [False, True])


def cells(figure: Figure) -> dict[tuple[int, int], str]:
    """Return the texts in the cells, by row and column."""
    return {text.get_position()[::-1]: text.get_text() for text in figure.axes[0].texts}


def colours(figure: Figure) -> np.ndarray:
    """Return the colours of the cells, (classes, classes, 3)."""
    return figure.axes[0].collections[0].get_array()


def test_counts_pairs_names_and_n_are_written(texts):
    figure = confusion_matrix(COUNTS, NAMES, variant="basic")
    assert cells(figure) == {
        (0, 0): "90", (0, 1): "5", (1, 0): "1", (1, 1): "1,200", (1, 2): "2"
    }  # fmt: skip
    written = texts(figure)
    assert "basic: confusion matrix" in written
    assert any("1,298" in text and "8 mistakes" in text for text in written)
    (pairs,) = (text for text in written if "taken for" in text)
    assert pairs == (
        "cat taken for dog: 5 times dog taken for $owl_x$: 2 times dog taken for cat: once"
    )
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == NAMES


def test_normalized_rows_are_percents_of_the_actual_class(texts):
    figure = confusion_matrix(COUNTS, NAMES, variant="basic", normalized=True)
    # 90 / 95, 5 / 95; 1 / 1203 = .083 %, 1200 / 1203, 2 / 1203; the third row has no images
    assert cells(figure) == {
        (0, 0): "94.7", (0, 1): "5.3", (1, 0): "0.1", (1, 1): "99.8", (1, 2): "0.2"
    }  # fmt: skip
    assert any("cat taken for dog: 5.3 %" in text for text in texts(figure))
    assert any("without test images" in text for text in texts(figure))


def test_a_rare_mistake_is_neither_0_nor_is_its_class_at_100():
    counts = np.array([[9999, 1], [0, 7]])
    figure = confusion_matrix(counts, ["a", "b"], variant="v", normalized=True)
    assert cells(figure) == {(0, 0): ">99.9", (0, 1): "<0.1", (1, 1): "100"}


@BOTH
def test_mistakes_are_coloured_and_the_diagonal_is_muted(normalized):
    found = colours(confusion_matrix(COUNTS, NAMES, variant="basic", normalized=normalized))
    assert tuple(found[0, 0]) == tuple(found[1, 1]) == pytest.approx(to_rgb(DIAGONAL))
    assert tuple(found[0, 2]) == tuple(found[2, 2]) == (1, 1, 1)
    assert found[0, 1].sum() < found[1, 2].sum() < found[1, 0].sum() < 3


def test_numbers_are_white_on_dark_cells_and_a_single_mistake_is_pale():
    axes = confusion_matrix(COUNTS, NAMES, variant="basic").axes[0]
    written = {text.get_text(): text.get_color() for text in axes.texts}
    assert written["5"] == "white"
    assert written["1"] == written["90"] == INK
    one, many = (
        colours(confusion_matrix(np.array([[50, images], [0, 50]]), ["a", "b"], variant="v"))
        for images in (1, 30)
    )
    assert one[0, 1].sum() > many[0, 1].sum()


@BOTH
def test_no_mistakes_and_a_class_never_predicted(normalized, texts):
    named = {"classes": ["a", "b"], "variant": "v", "normalized": normalized}
    assert "No mistakes" in texts(confusion_matrix(np.diag([5, 6]), **named))
    figure = confusion_matrix(np.array([[5, 0], [6, 0]]), **named)
    assert any(text.startswith("b taken for a: ") for text in texts(figure))


def test_differences_are_orange_where_worse_and_blue_where_better(texts):
    other = np.array([[92, 3, 0], [1, 1198, 4], [0, 0, 0]])
    figure = confusion_difference(COUNTS, other, NAMES, variant="new", baseline="old", most=4)
    assert cells(figure) == {(0, 0): "−2", (0, 1): "+2", (1, 1): "+2", (1, 2): "−2"}  # noqa: RUF001
    red, _, blue = np.moveaxis(colours(figure), -1, 0)
    # fewer correct and more mistakes; more correct and fewer mistakes
    assert np.argwhere(red > blue).tolist() == [[0, 0], [0, 1]]
    assert np.argwhere(blue > red).tolist() == [[1, 1], [1, 2]]
    assert "new minus old" in texts(figure)


@pytest.mark.parametrize(
    ("normalized", "classes", "long"),
    [(False, 2, False), (True, 2, True), (False, 10, True), (True, 25, False), (True, 103, True)],
)
def test_nothing_overlaps(normalized, classes, long):
    random = np.random.default_rng(classes)
    counts = random.poisson(0.7, (classes, classes)) + 80 * np.eye(classes, dtype=int)
    names = [f"{LONG[i % 4]} {i}" if long else str(i) for i in range(classes)]
    axes = confusion_matrix(counts, names, variant="basic", normalized=normalized).axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert 1 < len(labels) <= 40
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert bool(axes.texts) == (classes <= 25)
    side = axes.bbox.width / classes
    assert all(text.get_window_extent().width <= side for text in axes.texts)
