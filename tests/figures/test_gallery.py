import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from stages.figures import style
from stages.figures.gallery import as_percent, mistakes, near_duplicates, predictions, samples

DIGITS = [str(digit) for digit in range(10)]
LONG = [f"a rather long class name, number {number}" for number in range(10)]


def images_of(n: int, shape=(8, 8, 1)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


def captions(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_mistakes_show_predicted_for_actual_and_confidence(texts):
    images = images_of(50)
    found = [(40, 3, 8, 0.97), (7, 9, 4, 0.5)]
    figure = mistakes(images, found, DIGITS, variant="basic")
    assert captions(figure) == ["8 for 3", "97 %", "4 for 9", "50 %"]
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    np.testing.assert_array_equal(shown, images[[40, 7], ..., 0])
    assert "basic: most confident mistakes" in texts(figure)


@pytest.mark.parametrize(
    ("m", "shown", "expected"),
    [
        (0, 0, "none: all n = 1,000"),
        (1, 1, "the only mistake on n = 1,000"),
        (2, 2, "all 2 mistakes on n = 1,000"),
        (91, 20, "the first 20 of 91 mistakes on n = 1,000"),
    ],
)
def test_mistakes_say_how_many_there_are(m, shown, expected, texts):
    found = [(row, 1, 2, 0.9) for row in range(m)]
    figure = mistakes(images_of(1000), found, DIGITS, variant="basic")
    assert any(text.startswith(expected) for text in texts(figure))
    assert style.png(figure)
    assert sum(len(axes.images) for axes in figure.axes) == shown


def test_the_frames_of_outer_images_are_as_wide_as_the_others():
    found = [
        {"group": 0, "split": split, "label": "cat", "file": "", "row": row}
        for row, split in enumerate(["train", "test"] * 5)
    ]
    figure = near_duplicates(np.full((10, 8, 8, 1), 90, np.uint8), found, 1)
    drawn = Image.open(io.BytesIO(style.png(figure))).convert("RGB")
    red = np.ptp(np.asarray(drawn), axis=2) > 60
    middle = np.flatnonzero(red.sum(axis=1) > red.shape[1] / 2)[0] + 60  # of the first row's images
    columns = np.flatnonzero(red[middle])
    lines = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    assert [len(line) for line in lines] == [3] * 10


def test_near_duplicates_are_red_where_a_group_is_in_both_splits_or_two_classes(texts):
    columns = ("group", "split", "label", "file", "row")
    cells = [(0, "train", "cat", "a.png", 4), (0, "test", "cat", "b.png", 5)]
    cells += [(1, "train", "cat", "", 6), (1, "train", "dog", "", 7)]
    cells += [(2, "test", "8", "", 8), (2, "test", "8", "", 9)]
    found = [dict(zip(columns, row, strict=True)) for row in cells]
    figure = near_duplicates(images_of(6), found, 7)
    bold = [
        (one.get_text(), one.get_color())
        for one in figure.axes[0].texts
        if one.get_weight() == "bold"
    ]
    assert [text for text, _ in bold] == ["cat", "cat", "cat", "dog", "8", "8"]
    assert [colour == style.RED for _, colour in bold] == [True] * 4 + [False] * 2
    assert any(text.startswith("the first 3 of 7 groups") for text in texts(figure))
    assert {"b.png", "6", "0, training", "2, test"} <= {*captions(figure)}
    assert any("none" in text for text in texts(near_duplicates(images_of(0), [], 0)))


def test_samples_are_green_when_right_and_red_when_wrong_and_marked(texts):
    actual = np.arange(20) % 10
    predicted = np.where(np.arange(20) % 4 == 0, (actual + 1) % 10, actual)
    figure = samples(images_of(20), actual, predicted, DIGITS, variant="basic")
    found = [(text.get_text(), text.get_color()) for text in figure.axes[0].texts]
    right = [text for text, colour in found if colour == style.GREEN]
    wrong = [text for text, colour in found if colour == style.RED]
    assert (len(right), len(wrong)) == (15, 5)
    assert all(text.startswith("✓ ") for text in right)
    assert {"✗ 1, is 0", "✗ 5, is 4"} <= set(wrong)
    assert any("15 right (green ✓), 5 wrong (red ✗)" in text for text in texts(figure))
    other = samples(images_of(20), actual, actual, DIGITS, variant="other")  # the same images
    for one, same in zip(figure.axes[0].images, other.axes[0].images, strict=True):
        np.testing.assert_array_equal(one.get_array(), same.get_array())


@pytest.mark.parametrize("shape", [(8, 8, 1), (40, 20, 3), (7, 30, 1)])
@pytest.mark.parametrize("classes", [DIGITS, LONG])
def test_captions_and_images_do_not_overlap(shape, classes, no_overlap):
    labels = np.arange(7)
    figure = samples(images_of(7, shape), labels, labels[::-1], classes, variant="basic")
    also = mistakes(images_of(7, shape), [(i, 1, 2, 1.0) for i in range(7)], classes, variant="v")
    for axes in (figure.axes[0], also.axes[0]):
        no_overlap([*axes.texts, *axes.images])
        place = axes.images[0].get_window_extent()
        assert place.height / place.width == pytest.approx(shape[0] / shape[1], rel=0.02)


@pytest.mark.parametrize(
    ("n", "expected"), [(1, "1 image,"), (7, "7 images,"), (103, "the first 100 of 103 images,")]
)
def test_own_images_show_class_probability_and_file(n, expected, texts):
    probability = np.tile([0.2, 0.7, 0.1], (n, 1))
    images = images_of(n)
    names = [f"a rather long name of a file {number}.png" for number in range(n)]
    figure = predictions(images, names, probability, ["cat", "dog", "cow"], model="basic")
    shown = captions(figure)
    assert len(shown) == 3 * min(n, 100)
    assert shown[:2] == ["dog", "70 %"]
    assert shown[2].startswith("a rather")
    assert any(text.startswith(expected) for text in texts(figure))
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), images[0, ..., 0])


def test_fewer_images_than_predictions_are_the_first(texts):
    probability = np.tile([0.2, 0.8], (30, 1))
    names = [f"{number}.png" for number in range(30)]
    figure = predictions(images_of(20), names, probability, ["cat", "dog"], model="basic")
    assert captions(figure)[2::3] == names[:20]
    assert any(text.startswith("the first 20 of 30 images,") for text in texts(figure))


def test_unsure_predictions_are_marked():
    probability = np.array([[0.4, 0.6], [0.2, 0.8]])
    figure = predictions(
        images_of(2), ["a", "b"], probability, ["cat", "dog"], model="basic", unsure={0}
    )
    assert captions(figure)[1::3] == ["60 %, unsure", "80 %"]


def test_colours_and_grey_values_are_not_stretched():
    images = images_of(3, (4, 4, 3))
    figure = mistakes(images, [(2, 0, 1, 0.9)], DIGITS, variant="basic")
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), images[2])
    dim = np.full((1, 4, 4, 1), 100, dtype=np.uint8)
    figure = mistakes(dim, [(0, 0, 1, 0.9)], DIGITS, variant="basic")
    assert figure.axes[0].images[0].get_clim() == (0, 255)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.0, "0 %"), (0.0002, "< 0.1 %"), (0.0031, "0.3 %"),
        (0.124, "12 %"), (0.97, "97 %"), (0.9949, "99 %"), (0.996, "99.6 %"),
        (0.9989, "99.8 %"), (0.99999, "> 99.9 %"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_percent_never_claims_false_certainty(fraction, expected):
    assert as_percent(fraction) == expected
