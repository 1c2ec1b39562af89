"""Sources made from a user's arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data import arrays
from stages.data.source import Split, check
from stages.errors import UserError
from tests.refusals import refused

IMAGES = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)


def source(labels, images=IMAGES, *test):
    return check(arrays.source("mine", Split(images, np.array(labels)), *test))


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        ([10, 9, 10, 2], ("2", "9", "10"), [2, 1, 2, 0]),  # in numeric order
        ([1.0, 3.0, 1.0, 1.0], ("1", "3"), [0, 1, 0, 0]),
        ([" dog", "cat", "dog", "Ö\n"], ("cat", "dog", "Ö"), [1, 0, 1, 2]),
        (["Ö", "cat", "O\N{COMBINING DIAERESIS}", "dog"], ("cat", "dog", "Ö"), [2, 0, 2, 1]),
        ([b"dog", b"cat", b"dog", b"\xc3\x96"], ("cat", "dog", "Ö"), [1, 0, 1, 2]),
        ([[3], [1], [1], [1]], ("1", "3"), [1, 0, 0, 0]),
        ([True, False, True, True], ("0", "1"), [1, 0, 1, 1]),
    ],
)
def test_labels_name_the_classes(labels, classes, numbers):
    made = source(labels)
    assert made.classes == classes
    assert made.train.labels.tolist() == numbers
    has_gaps = classes[0] in ("1", "2")
    assert len(made.notes) == has_gaps


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1, -1, 0], "image 2 .*-1"),
        ([0, 1, 0.5, 0], r"image 2 .*0\.5"),
        (np.array([0, 1, np.nan, 0], np.float16), "image 2 .*nan"),
        ([0, 1, 2**40, 0], "image 2 .*1099511627776"),
        (["a", "", "b", "a"], "image 1 .*''"),
        (["a", " ", "b", "a"], "image 1 .*''"),
        ([b"a", b"\xff", b"b", b"a"], "UTF-8"),
        (np.eye(4), r"\(4, 4\)"),
        ([0, 1], r"\(2,\)"),
    ],
)
def test_invalid_labels_are_refused(labels, expected):
    with pytest.raises(UserError, match=f"^mine.*{expected}"):
        source(labels)


def test_test_labels_share_the_classes_and_the_type():
    made = source([0, 7, 9, 0], IMAGES, Split(IMAGES[:2], np.array([7, 0])))
    assert made.test.labels.tolist() == [1, 0]
    for label in (8, "7"):
        with pytest.raises(UserError, match="training"):
            source([0, 7, 9, 0], IMAGES, Split(IMAGES[:1], np.array([label])))


@given(st.sampled_from([np.float16, np.float32, np.float64]), st.data())
def test_bytes_divided_by_255_are_restored(kind, data):
    whole = data.draw(st.lists(st.integers(0, 255), min_size=64, max_size=64))
    whole = np.array(whole, np.uint8).reshape(1, 8, 8, 1)
    (scaled,), found, notes = arrays.as_bytes([(whole / 255).astype(kind)])
    assert found == (0, 1)
    assert (scaled == whole).all()
    assert (scaled.dtype, len(notes)) == (np.uint8, 1)


def test_both_splits_are_scaled_or_none():
    dark, bright, labels = np.full((4, 8, 8), 1.0), np.full((4, 8, 8), 255.0), np.arange(4)
    made = source(labels, dark, Split(dark, labels))
    assert made.train.images.max() == made.test.images.max() == 255
    assert source(labels, dark, Split(bright, labels)).train.images.max() == 1
    assert source(labels, dark.astype(np.int32)).train.images.max() == 255
    dark[1, 2, 3] = np.nan
    with pytest.raises(UserError, match=r"image 1 .*nan"):
        source(labels, dark)


@pytest.mark.parametrize("test_is_bright", [True, False])
def test_splits_of_different_scale_are_refused(test_is_bright):
    splits = [Split(IMAGES / 255, np.arange(4)), Split(IMAGES, np.arange(4))]
    splits = splits if test_is_bright else splits[::-1]
    with refused("mine's (training|test) pixels are fractions up to 1, .* go up to 255"):
        arrays.source("mine", *splits)
    kind = "training" if test_is_bright else "validation"
    with refused(f"mine's {kind} pixels are fractions"):
        arrays.joined(*splits, "mine", "training")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.arange(3), "validation has 3 labels for 2 images"),
        (np.array(["a", "b"]), "training labels and mine's validation labels have different"),
        (np.array([-1, 0]), "validation image 0 has the label -1"),
    ],
)
def test_labels_that_do_not_fit_those_of_validation_are_refused(labels, expected):
    with refused(f"mine's {expected}"):
        arrays.joined(Split(IMAGES, np.arange(4)), Split(IMAGES[:2], labels), "mine", "training")


def test_validation_labels_may_have_another_shape():
    first, second = Split(IMAGES, np.arange(4)[:, None]), Split(IMAGES[:2], np.array([4.0, 5.0]))
    assert arrays.joined(first, second, "mine", "training").labels.tolist() == [*range(6)]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([0, 8, 16], [0, 128, 255]),
        ([0, 8, 17], [0, 8, 17]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 1.6, 254.4], [0, 2, 254]),
        ([False, True, True], [0, 255, 255]),
        ([0, 255, 3], [0, 255, 3]),
    ],
)
def test_ranges_are_recognised_and_reported(pixels, expected):
    images = np.resize(pixels, (4, 8, 9))
    made = source([0, 1, 0, 1], images)
    assert made.train.images.ravel()[:3].tolist() == expected
    assert bool(made.notes) == (pixels != expected or 17 in pixels)


@pytest.mark.parametrize(
    ("pixels", "known", "expected"),
    [
        ([0, 1, 1], (0, 255), [0, 1, 1]),  # dark
        ([0, 8, 12], (0, 16), [0, 128, 191]),
        ([0.0, 0.5, 1.0], (-1, 1), [128, 191, 255]),
        ([0.0, 0.5, 1.0], (0, 255), [0, 128, 255]),  # cannot be dark
        ([0, 200, 255], (0, 1), [0, 200, 255]),
        ([-1.0, 0.0, 1.0], (0, 16), [0, 128, 255]),
    ],
)
def test_a_known_range_is_used_for_images_that_can_have_it(pixels, known, expected):
    (scaled,), _, _ = arrays.as_bytes([np.resize(pixels, (4, 8, 9, 1))], known)
    assert scaled.ravel()[:3].tolist() == expected


@pytest.mark.parametrize("pixels", [[-0.5, 0, 1.5], [0, 0.5, 300], [0, 1, np.inf]])
def test_other_ranges_are_refused(pixels):
    with pytest.raises(UserError, match="image 0"):
        source([0, 1, 0, 1], np.resize(pixels, (4, 8, 9)))


def test_channels_that_come_first_are_moved():
    colour = np.random.default_rng(0).integers(0, 256, (4, 8, 9, 3), np.uint8)
    made = source([0, 1, 0, 1], np.moveaxis(colour, 3, 1))
    assert (made.train.images == colour).all()
    assert len(made.notes) == 1


def test_classes_that_differ_only_in_case_or_blanks_are_reported():
    made = source(["cat", "Cat", "dog fish", "dogfish"])
    assert "'Cat' and 'cat'" in made.notes[0]
    assert "'dog fish' and 'dogfish'" in made.notes[1]
    assert not source(["cat", "dog", "cat", "dog"]).notes
