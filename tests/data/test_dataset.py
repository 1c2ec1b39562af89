"""The files of data/prepared."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.data import dataset
from stages.data.source import Source, Split
from stages.data.splits import Splits
from stages.errors import UserError
from stages.files import PREPARED
from tests.prepared import TRAIN, parse

SHAPES = st.tuples(st.integers(1, 40), *[st.integers(1, 4)] * 2, st.sampled_from([1, 3]))


@given(arrays(np.uint8, SHAPES))
def test_mean_and_deviation_are_those_of_numpy(images):
    found = dataset.pixels(images)
    values = images.reshape(-1, images.shape[-1]).astype(np.float64)
    assert found["mean"] == pytest.approx(values.mean(0).tolist())
    assert found["std"] == pytest.approx(values.std(0).tolist(), abs=1e-6)


@pytest.mark.parametrize("held_out", [True, False])
def test_the_files_hold_what_the_contract_says(held_out):
    labels, images = np.array([0, 1, 1, 1, 1, 0]), np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    unreadable = {"b/2.png": "is empty", "a/ü\n.png": "is no image"}
    source = Source("photos", "none", ("cat", "dog"), Split(images, labels), unreadable=unreadable,
                    test=None if held_out else Split(images + 1, labels), notes=("Scaled.",),
                    sha256="cd", pixel_range=(0, 1))  # fmt: skip
    folds = np.array([[0, 0, 1, 1], [1, 0, 0, 1]], np.int16)
    splits = Splits(np.arange(4), np.array([4, 5]), folds, {"train": 2}, {"a": 1}, "ab")
    written = dataset.write(source, splits, parse(data={"resize": "crop", "limit": 4}))
    expected = {
        "train_images": images[:4],
        "train_labels": labels[:4],
        "test_images": images[4:] + (not held_out),
        "test_labels": labels[4:],
        "folds": folds,
    }
    for name, array in expected.items():
        np.save("expected.npy", array)
        assert (PREPARED / f"{name}.npy").read_bytes() == Path("expected.npy").read_bytes()
    assert json.loads((PREPARED / "dataset.json").read_text()) == written == {
        "source": "photos",
        "licence": "none",
        "classes": ["cat", "dog"],
        "image_shape": [1, 1, 1],
        "train": {"images": 4, "per_class": [1, 3]},
        "test": {"images": 2, "per_class": [1, 1]},
        "folds": {"count": 2, "repeats": 2},
        "sha256": dataset.content_hash(expected, ("cat", "dog")),
        "source_sha256": "cd",
        "pixels": {"mean": [1.5], "std": [pytest.approx(1.25**0.5)]},
        "imbalance": {"largest": "dog", "smallest": "cat", "ratio": 3.0},
        "images_sha256": "ab",
        "bits": 16,
        "resize": "crop",
        "background": None,
        "limit": None if held_out else 4,
        "pixel_range": [0, 1],
        "groups": {"train": 2},
        "duplicates": {"a": 1},
        "near_duplicates": {"searched": False},
        "odd_images": {"black": 6},
        "unreadable": unreadable,
        "notes": ["Scaled."],
    }  # fmt: skip
    assert list(written["unreadable"]) == sorted(unreadable)


def test_the_hash_covers_the_classes_and_each_array_with_its_type_and_shape():
    one = {"a": np.arange(3), "b": np.zeros((2, 2), np.uint8)}
    before = dataset.content_hash(one, ("cat", "dog"))
    assert dataset.content_hash(one, ("cat", "owl")) != before
    for name, array in one.items():
        for other in (array + 1, array.astype(np.uint16), array[np.newaxis]):
            assert dataset.content_hash({**one, name: other}, ("cat", "dog")) != before


@pytest.mark.parametrize("count", [1000, 500])
def test_no_second_copy_of_the_images_is_made(count):
    images, rows = np.zeros((1000, 128, 128, 1), np.uint8), np.arange(count)
    source = Source("drawings", "none", ("cat", "dog"), Split(images, np.arange(1000) % 2))
    splits = Splits(rows, rows[:10], np.zeros((1, count), np.int16), {}, {}, "")
    tracemalloc.start()
    dataset.write(source, splits, parse(data={"resize": "crop", "limit": 4}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 3


def test_data_prepared_with_other_settings_are_refused():
    images = np.zeros((4, 8, 8, 1), np.uint8)
    source = Source("drawings", "none", ("cat", "dog"), Split(images, np.arange(4) % 2))
    splits = Splits(np.arange(2), np.arange(2, 4), np.zeros((1, 2), np.int16), {}, {}, "")
    written = dataset.write(source, splits, parse())
    assert dataset.read(parse(train=TRAIN | {"epochs": 9})) == written
    for other in ({"data": {"seed": 2}}, {"folds": {"count": 3}}):
        with pytest.raises(UserError, match="dvc repro prepare"):
            dataset.read(parse(**other))
    path = PREPARED / "dataset.json"
    path.write_text(path.read_text() + " ")  # as if DVC had restored that of other settings
    assert dataset.read(parse(data={"seed": 2})) == written


def test_settings_that_do_not_matter_leave_the_same_bytes():
    images = np.zeros((4, 8, 8, 1), np.uint8)
    source = Source("drawings", "none", ("cat", "dog"), Split(images, np.arange(4) % 2))
    splits = Splits(np.arange(2), np.arange(2, 4), np.zeros((1, 2), np.int16), {}, {}, "")
    found = set()
    for data in ({}, {"limit": 9}, {"watch": "/home"}, {"duplicates": "allow"}):
        dataset.write(source, splits, parse(data=data))
        found.add((PREPARED / "dataset.json").read_bytes())
    assert len(found) == 1
