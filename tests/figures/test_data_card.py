"""The data card from two classes to a thousand."""

import numpy as np
import pytest

from stages.figures import style
from stages.figures.data_card import ENDS, MAX_ROWS, data_card

LONG = "a rather long class name that no column of a figure would ever hold, number {}"
FACTS = [("duplicates", "none"), ("unreadable", "word " * 200), ("notes", "x" * 300)]


def made(count, shape=(8, 8, 1), name="class {}", facts=FACTS):
    sizes = np.arange(count) + 2
    labels = np.repeat(np.arange(count), sizes)
    images = np.broadcast_to(np.arange(len(labels), dtype=np.uint8)[:, None, None, None],
                             (len(labels), *shape))  # fmt: skip
    classes = [name.format(number) for number in range(count)]
    return data_card(images, labels, np.arange(count), classes, facts, source="photos")


@pytest.mark.parametrize(
    ("count", "shape"), [(2, (40, 20, 3)), (MAX_ROWS, (8, 8, 1)), (1000, (7, 30, 1))]
)
def test_nothing_overlaps(count, shape, no_overlap):
    figure = made(count, shape, LONG)
    (axes,) = (axes for axes in figure.axes if axes.images)
    no_overlap([*axes.images, *(text for text in axes.texts if len(text.get_text()) > 3)])


def test_every_class_has_its_first_image_its_name_and_its_numbers(texts):
    figure = made(3)
    (axes,) = (axes for axes in figure.axes if axes.images)
    assert [image.get_array().max() for image in axes.images] == [0, 2, 5]
    assert [text.get_text() for text in axes.texts][:9] == [
        "class 0", "class 1", "class 2", "2", "3", "4", "1", "1", "1"
    ]  # fmt: skip
    lengths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(np.array(lengths) / lengths[0] * 2, [2, 3, 4, 1, 1, 1])
    written = texts(figure)
    assert "photos: data" in written
    assert "9 training and 3 test images of 8 x 8 pixels, grey, in 3 classes" in written
    assert {"duplicates", "none", "unreadable"} <= set(written)


def test_of_many_classes_the_ends_are_shown_and_all_sizes_drawn(texts):
    figure = made(300)
    written = texts(figure)
    assert {"class 299", "class 292", "class 7", "class 0"} <= set(written)
    assert not {"class 291", "class 8", "class 100"} & set(written)
    assert sum(len(axes.images) for axes in figure.axes) == 2 * ENDS
    curve, _ = next(axes.patches for axes in figure.axes if not axes.images and axes.patches)
    np.testing.assert_array_equal(curve.get_data().values, np.arange(301, 1, -1))


def test_without_facts_and_with_special_characters(texts):
    figure = made(2, name="$x^{}$ <b>\n", facts=[])
    assert style.png(figure)
    assert "$x^0$ <b>" in texts(figure)
