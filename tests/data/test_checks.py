"""Checks that all sources share."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stages.data.checks import check
from stages.data.source import Source

IMAGES = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2, 1)
GOOD = Source(
    name="mine",
    licence="none",
    classes=("cat", "dog"),
    train_images=IMAGES,
    train_labels=np.array([0, 1, 0, 1]),
    test_images=IMAGES[:1],
    test_labels=np.array([1]),
)


def with_pixel(value, dtype=float):
    images = IMAGES.astype(dtype)
    images[2, 0, 0, 0] = value
    return images


def test_a_good_source_passes_unchanged():
    checked = check(GOOD)
    assert checked.train_images is IMAGES
    assert checked.train_labels.tolist() == [0, 1, 0, 1]
    assert checked.test_images.shape == (1, 2, 2, 1)
    assert checked.classes == ("cat", "dog")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint64])
def test_whole_numbers_of_any_type_become_uint8(dtype):
    checked = check(replace(GOOD, train_images=with_pixel(255, dtype)))
    assert checked.train_images.dtype == np.uint8
    assert checked.train_images[2, 0, 0, 0] == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_become_int64(dtype):
    checked = check(replace(GOOD, train_labels=np.array([0, 1, 0, 1], dtype)))
    assert checked.train_labels.dtype == np.int64


def test_a_source_without_a_test_set_passes():
    checked = check(replace(GOOD, test_images=None, test_labels=None))
    assert checked.test_images is None
    assert checked.test_labels is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"classes": ("cat",)}, "two or more"),
        ({"classes": ("cat", "cat")}, "different names"),
        ({"classes": ("cat", "")}, "different names"),
        ({"classes": tuple(map(str, range(1001)))}, "has 1,001 classes; give at most 1,000"),
        ({"classes": ("cat", "dog", "owl")}, "'owl' has no training image"),
        ({"train_images": IMAGES[..., 0]}, r"training images have the shape \(4, 2, 2\)"),
        ({"train_images": IMAGES[:0]}, r"\(0, 2, 2, 1\)"),
        ({"train_images": np.zeros((4, 2, 2, 2), np.uint8)}, "1 channel"),
        ({"train_images": IMAGES.astype(str)}, "are of type <U"),
        ({"train_images": IMAGES > 0}, "are of type bool"),
        ({"train_images": with_pixel(np.nan)}, "NaN or infinite, first in image 2"),
        ({"train_images": with_pixel(np.inf)}, "NaN or infinite, first in image 2"),
        ({"train_images": with_pixel(-1)}, r"from -1\.0 to 15\.0"),
        ({"train_images": with_pixel(256, np.int64)}, "from 0 to 256"),
        ({"train_images": with_pixel(0.5)}, "whole numbers"),
        ({"train_labels": np.array([0.0, 1, 0, 1])}, "float64"),
        ({"train_labels": np.array([[0, 1, 0, 1]])}, r"shape \(1, 4\)"),
        ({"train_labels": np.array([0, 1, 0])}, "3 labels for 4 images"),
        ({"train_labels": np.array([0, 1, 2, 1])}, "image 2 is 2; labels go from 0 to 1"),
        ({"train_labels": np.array([0, -1, 0, 1])}, "image 1 is -1"),
        ({"train_labels": np.array([0, 0, 0, 0])}, "'dog' has no training image"),
        ({"test_labels": np.array([2])}, "test label of image 0 is 2"),
        ({"test_labels": np.array([1, 1])}, "test split has 2 labels for 1 images"),
        ({"test_labels": None}, "both or neither"),
        ({"test_images": None}, "both or neither"),
        ({"test_images": IMAGES[:1, :1]}, r"\(1, 2, 1\), its training images \(2, 2, 1\)"),
        ({"test_images": with_pixel(np.nan)[2:3]}, "test images have pixels that are NaN"),
    ],
)
def test_refused_with_what_came(change, expected):
    with pytest.raises(ValueError, match=expected) as refusal:
        check(replace(GOOD, **change))
    assert str(refusal.value).startswith("mine")


@pytest.mark.parametrize(("greatest", "noted"), [(0, 1), (1, 1), (16, 1), (63, 1), (64, 0)])
def test_images_that_are_nearly_black_get_a_note(greatest, noted):
    dark = np.zeros_like(IMAGES)
    dark[1] = greatest
    source = replace(GOOD, train_images=dark, test_images=dark[:1], notes=("Scaled.",))
    notes = check(source).notes
    assert notes[0] == "Scaled."
    assert len(notes) == 1 + noted
    assert all(f"is {greatest}," in note for note in notes[1:])
    bright = replace(source, test_images=np.full_like(dark[:1], 255))
    assert check(bright).notes == ("Scaled.",)


def test_other_types_are_converted_without_a_second_copy():
    images = np.ones((1000, 64, 64, 1), np.float32)
    tracemalloc.start()
    check(
        replace(
            GOOD,
            train_images=images,
            train_labels=np.arange(1000) % 2,
            test_images=None,
            test_labels=None,
        )
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * images.size  # the bytes that they become
