"""The checks that all sources share."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stages.data.source import Source, Split, check
from stages.errors import UserError

IMAGES = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2, 1)
GOOD = Source(
    name="mine",
    licence="none",
    classes=("cat", "dog"),
    train=Split(IMAGES, np.array([0, 1, 0, 1])),
    test=Split(IMAGES[:1], np.array([1])),
)


def with_pixel(value, dtype=float):
    images = IMAGES.astype(dtype)
    images[2, 0, 0, 0] = value
    return images


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint64])
def test_whole_numbers_of_any_type_become_uint8_and_labels_int64(dtype):
    labels = GOOD.train.labels.astype(np.int8)
    checked = check(replace(GOOD, train=Split(with_pixel(255, dtype), labels)))
    assert (checked.train.images == with_pixel(255)).all()
    assert (checked.train.images.dtype, checked.train.labels.dtype) == (np.uint8, np.int64)
    assert checked.test.images.shape == (1, 2, 2, 1)


def test_a_source_without_a_test_set_passes_without_a_copy():
    checked = check(replace(GOOD, test=None))
    assert checked.train.images is IMAGES
    assert checked.test is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"classes": ("cat",)}, "only the class 'cat'"),
        ({"classes": ("cat", "cat")}, "different name"),
        ({"classes": tuple(map(str, range(1001)))}, "1,001 classes"),
        ({"classes": ("cat", "dog", "owl")}, "'owl'"),
    ],
)
def test_other_classes_are_refused(change, expected):
    with pytest.raises(UserError, match=f"^mine.*{expected}"):
        check(replace(GOOD, **change))


@pytest.mark.parametrize(
    ("split", "change", "expected"),
    [
        ("train", {"images": IMAGES[..., 0]}, r"\(4, 2, 2\)"),
        ("train", {"images": np.zeros((4, 2, 2, 2), np.uint8)}, "1 channel"),
        ("train", {"images": IMAGES[:0]}, r"\(0, 2, 2, 1\)"),
        ("train", {"images": IMAGES > 0}, "bool"),
        *(("train", {"images": with_pixel(value)}, f"2 .*{value}") for value in (np.nan, np.inf)),
        ("train", {"images": with_pixel(256, np.int64)}, "2 .*256"),
        ("train", {"images": with_pixel(-1, np.int8)}, "2 .*-1"),
        ("train", {"images": with_pixel(0.5)}, r"2 .*0\.5"),
        ("train", {"labels": np.array([0.0, 1, 0, 1])}, "float64"),
        ("train", {"labels": np.array([[0, 1, 0, 1]])}, r"\(1, 4\)"),
        ("train", {"labels": np.array([0, 1, 2, 1])}, "0 to 2"),
        ("train", {"labels": np.array([0, -1, 0, 1])}, "-1 to 1"),
        ("train", {"labels": np.array([0, 0, 0, 0])}, "'dog'"),
        ("test", {"labels": np.array([2])}, "test labels go from 2 to 2"),
        ("test", {"images": IMAGES[:1, :1]}, r"\(1, 2, 1\).*\(2, 2, 1\)"),
        ("test", {"images": with_pixel(np.nan)[2:3]}, "test image 0"),
    ],
)
def test_invalid_splits_are_refused_with_the_reason(split, change, expected):
    with pytest.raises(UserError, match=f"^mine.*{expected}"):
        check(replace(GOOD, **{split: getattr(GOOD, split)._replace(**change)}))


def test_images_that_are_nearly_black_get_a_note():
    def notes(brightest, test=None):
        train = Split(np.full_like(IMAGES, brightest), GOOD.train.labels)
        return check(replace(GOOD, train=train, test=test, notes=("Scaled.",))).notes

    assert len(notes(0)) == len(notes(63)) == 2
    bright = GOOD.test._replace(images=np.full_like(IMAGES[:1], 255))
    assert notes(64) == ("Scaled.",)
    dark = bright._replace(images=np.zeros_like(IMAGES[:1]))
    for brightest, test, kinds in ((0, bright, ["training"]), (255, dark, ["test"])):
        black = [note for note in notes(brightest, test) if "black" in note]
        assert [note.split()[4] for note in black] == kinds


def test_other_types_are_converted_without_a_second_copy():
    images, labels = np.ones((1000, 64, 64, 1), np.float32), np.arange(1000) % 2
    tracemalloc.start()
    check(Source("mine", "none", ("cat", "dog"), Split(images, labels)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * images.size  # the bytes that they become
