"""The facts that dataset.json adds to the counts."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.data.card import card, pixels
from stages.data.source import Source
from stages.data.splits import Splits

SHAPES = st.tuples(st.integers(1, 40), *[st.integers(1, 4)] * 2, st.sampled_from([1, 3]))


@given(arrays(np.uint8, SHAPES))
def test_mean_and_deviation_are_those_of_numpy(images):
    found = pixels(images)
    values = images.reshape(-1, images.shape[-1]).astype(np.float64)
    assert found["mean"] == pytest.approx(values.mean(0).tolist())
    assert found["std"] == pytest.approx(values.std(0).tolist(), abs=1e-6)


def test_the_card_is_of_the_images_that_were_taken_and_goes_into_json():
    labels = np.array([0, 1, 1, 1, 1, 0])
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    unreadable = {"b/2.png": "is empty", "a/ü\n.png": "is no image"}
    source = Source(
        "photos", "none", ("cat", "dog"), images, labels, unreadable=unreadable, notes=("Scaled.",)
    )
    train = np.array([0, 1, 2, 3])
    test, folds = np.array([4, 5]), np.zeros((1, 4), np.int16)
    splits = Splits(train, test, folds, {"train": 2}, {"a": 1}, "ab")
    made = json.loads(json.dumps(card(source, splits, images[train])))
    assert made == {
        "pixels": {"mean": [1.5], "std": [pytest.approx(1.25**0.5)]},
        "imbalance": {"largest": "dog", "smallest": "cat", "ratio": 3.0},
        "images_sha256": "ab",
        "groups": {"train": 2},
        "duplicates": {"a": 1},
        "unreadable": unreadable,
        "notes": ["Scaled."],
    }
    assert list(made["unreadable"]) == sorted(unreadable)
