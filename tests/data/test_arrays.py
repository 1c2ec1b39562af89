"""What arrays of a user's own become."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data import arrays
from stages.data.checks import check

IMAGES = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)


def source(labels, images=IMAGES, test=None):
    return check(arrays.source("mine", (images, np.array(labels)), test))


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        ([0, 1, 1, 0], ("0", "1"), [0, 1, 1, 0]),
        ([10, 9, 10, 2], ("2", "9", "10"), [2, 1, 2, 0]),  # in the order of numbers
        ([1.0, 3.0, 1.0, 1.0], ("1", "3"), [0, 1, 0, 0]),
        (["dog", "cat", "dog", "Ö\n"], ("cat", "dog", "Ö\n"), [1, 0, 1, 2]),
        ([b"dog", b"cat", b"dog", b"\xc3\x96"], ("cat", "dog", "Ö"), [1, 0, 1, 2]),
        ([[3], [1], [1], [1]], ("1", "3"), [1, 0, 0, 0]),
        ([True, False, True, True], ("0", "1"), [1, 0, 1, 1]),
    ],
)
def test_labels_name_the_classes(labels, classes, numbers):
    made = source(labels)
    assert made.classes == classes
    assert made.train_labels.tolist() == numbers
    assert made.licence == "not stated"


def test_labels_with_gaps_are_said_and_others_are_not():
    assert source([0, 1, 2, 0]).notes == ()
    assert source([0, 5, 7, 0]).notes == (
        "The labels are not 0, 1, 2 and so on; they name the classes: 0, 5, 7.",
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1, -1, 0], "mine's training label of image 2 is -1; labels are whole numbers from 0"),
        ([0, 1, 0.5, 0], "image 2 is 0.5"),
        ([0, 1, np.nan, 0], "image 2 is nan"),
        ([0, 1, np.inf, 0], "image 2 is inf"),
        ([0, 1, 2**40, 0], "image 2 is 1099511627776"),
        (["a", "", "b", "a"], "label of image 1 is empty"),
        ([b"a", b"\xff", b"b", b"a"], "UTF-8"),
        (np.eye(4), r"shape \(4, 4\)"),
        (np.array([1j, 1, 1, 1]), "of type complex128"),
        (np.array(["2020", "2021"] * 2, "datetime64[Y]"), "of type datetime64"),
        ([0, 0, 0, 0], "two or more"),
        ([0, 1], "2 labels for 4 images"),
        (np.arange(1001), "1,001 different labels; give at most 1,000"),
    ],
)
def test_labels_that_are_none_are_refused(labels, expected):
    with pytest.raises(ValueError, match=expected):
        source(labels)


def test_test_labels_share_the_classes_and_the_type():
    test = (IMAGES[:2], np.array([7, 0]))
    assert source([0, 7, 9, 0], test=test).test_labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="class '8' has no training image"):
        source([0, 7, 9, 0], test=(IMAGES[:1], np.array([8])))
    with pytest.raises(ValueError, match="training labels and its test labels"):
        source([0, 7, 9, 0], test=(IMAGES[:1], np.array(["7"])))


@given(st.sampled_from([np.float16, np.float32, np.float64]), st.data())
def test_bytes_over_255_come_back_as_those_bytes(kind, data):
    whole = data.draw(st.lists(st.integers(0, 255), min_size=64, max_size=64))
    whole = np.array(whole, np.uint8).reshape(1, 8, 8, 1)
    (scaled,), notes = arrays.as_bytes([(whole / 255).astype(kind)])
    assert (scaled == whole).all()
    assert scaled.dtype == np.uint8
    assert notes == ["Pixels from 0 to 1 were multiplied by 255 and rounded."]


def test_both_splits_are_scaled_or_none():
    dark, bright = np.full((4, 8, 8), 1.0), np.full((4, 8, 8), 255.0)
    labels = np.arange(4)
    made = source(labels, dark, (dark, labels))
    assert made.train_images.max() == made.test_images.max() == 255
    made = source(labels, dark, (bright, labels))
    assert made.train_images.max() == 1
    assert made.notes == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.nan, "NaN or infinite, first in image 1"),
        (-np.inf, "NaN or infinite, first in image 1"),
        (-0.5, r"from -0\.5 to 1\.0; scale"),
        (1.5, "whole numbers"),
    ],
)
def test_floats_that_are_no_pixels_are_refused(value, expected):
    images = np.ones((4, 8, 8))
    images[1, 2, 3] = value
    with pytest.raises(ValueError, match=expected):
        source([0, 1, 0, 1], images)


def test_whole_numbers_are_never_scaled():
    assert source([0, 1, 0, 1], np.ones((4, 8, 8), np.int32)).train_images.max() == 1
