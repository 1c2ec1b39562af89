"""The checks that all sources share."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stages.data.source import Source, check
from stages.errors import UserError

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


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16, np.uint64])
def test_whole_numbers_of_any_type_become_uint8_and_labels_int64(dtype):
    labels = GOOD.train_labels.astype(dtype if np.dtype(dtype).kind != "f" else np.int32)
    checked = check(replace(GOOD, train_images=with_pixel(255, dtype), train_labels=labels))
    assert (checked.train_images == with_pixel(255)).all()
    assert (checked.train_images.dtype, checked.train_labels.dtype) == (np.uint8, np.int64)
    assert checked.test_images.shape == (1, 2, 2, 1)


def test_a_source_without_a_test_set_passes_without_a_copy():
    checked = check(replace(GOOD, test_images=None, test_labels=None))
    assert checked.train_images is IMAGES
    assert checked.test_images is checked.test_labels is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"classes": ("cat",)}, "1 classes"),
        ({"classes": ("cat", "cat")}, "different name"),
        ({"classes": ("cat", "")}, "different name"),
        ({"classes": tuple(map(str, range(1001)))}, "1,001 classes"),
        ({"classes": ("cat", "dog", "owl")}, "'owl'"),
        ({"train_images": IMAGES[..., 0]}, r"\(4, 2, 2\)"),
        ({"train_images": IMAGES[:0]}, r"\(0, 2, 2, 1\)"),
        ({"train_images": np.zeros((4, 2, 2, 2), np.uint8)}, "1 channel"),
        ({"train_images": np.uint8(1)}, r"\(\)"),
        ({"train_images": IMAGES.astype(str)}, "<U"),
        ({"train_images": IMAGES > 0}, "bool"),
        *[({"train_images": with_pixel(value)}, f"2 .*{value}") for value in (np.nan, np.inf, -1)],
        ({"train_images": with_pixel(256, np.int64)}, "2 .*256"),
        ({"train_images": with_pixel(-1, np.int8)}, "2 .*-1"),
        ({"train_images": with_pixel(0.5)}, r"2 .*0\.5"),
        ({"train_labels": np.array([0.0, 1, 0, 1])}, "float64"),
        ({"train_labels": np.array([[0, 1, 0, 1]])}, r"\(1, 4\)"),
        ({"train_labels": np.array([0, 1, 0])}, r"\(3,\)"),
        ({"train_labels": np.array([0, 1, 2, 1])}, "0 to 2"),
        ({"train_labels": np.array([0, -1, 0, 1])}, "-1 to 1"),
        ({"train_labels": np.array([0, 0, 0, 0])}, "'dog'"),
        ({"test_labels": np.array([2])}, "test labels go from 2 to 2"),
        ({"test_labels": np.array([1, 1])}, r"test labels .*\(2,\)"),
        ({"test_labels": None}, "test"),
        ({"test_images": None}, "test"),
        ({"test_images": IMAGES[:1, :1]}, r"\(1, 2, 1\).*\(2, 2, 1\)"),
        ({"test_images": with_pixel(np.nan)[2:3]}, "test image 0"),
    ],
)
def test_refused_with_what_came(change, expected):
    with pytest.raises(UserError, match=f"^mine.*{expected}"):
        check(replace(GOOD, **change))


@pytest.mark.parametrize(("greatest", "noted"), [(0, 1), (63, 1), (64, 0)])
def test_images_that_are_nearly_black_get_a_note(greatest, noted):
    dark = np.zeros_like(IMAGES)
    dark[1] = greatest
    source = replace(GOOD, train_images=dark, test_images=dark[:1], notes=("Scaled.",))
    notes = check(source).notes
    assert notes[0] == "Scaled."
    assert len(notes) == 1 + noted
    bright = replace(source, test_images=np.full_like(dark[:1], 255))
    assert check(bright).notes == ("Scaled.",)


def test_other_types_are_converted_without_a_second_copy():
    images, labels = np.ones((1000, 64, 64, 1), np.float32), np.arange(1000) % 2
    tracemalloc.start()
    check(Source("mine", "none", ("cat", "dog"), images, labels))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * images.size  # the bytes that they become
