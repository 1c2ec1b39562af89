"""Folds, hold-out and limit as properties over many label lists, with some cases by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.data.folds import PURPOSES, at_most, hold_out, random_state, stratified_folds
from stages.errors import UserError
from stages.settings.sections import Data, Folds

CLASSES = ("cat", "dog", "owl")
# shuffled labels of three classes, each of which has 2 to 40 images
LABELS = st.tuples(*[st.integers(2, 40)] * 3).flatmap(
    lambda sizes: st.permutations([c for c, size in enumerate(sizes) for _ in range(size)])
).map(np.array)  # fmt: skip
SEEDS = st.integers(0, 2**31 - 1)


def spread(counts) -> int:
    return int(np.max(counts) - np.min(counts))


@given(LABELS, st.integers(2, 12), st.integers(1, 3), SEEDS)
def test_folds_are_whole_stratified_and_repeatable(labels, count, repeats, seed):
    assume(np.bincount(labels).min() >= count)
    settings = Folds(count=count, repeats=repeats, seed=seed)
    folds = stratified_folds(labels, CLASSES, settings)
    assert folds.shape == (repeats, len(labels))
    assert folds.dtype == np.int16
    for fold_of in folds:
        assert set(fold_of.tolist()) == set(range(count))
        assert spread(np.bincount(fold_of)) <= 1
        for label in range(len(CLASSES)):
            assert spread(np.bincount(fold_of[labels == label], minlength=count)) <= 1
    assert (folds == stratified_folds(labels, CLASSES, settings)).all()


def test_repeats_and_seeds_differ_and_more_repeats_keep_the_first():
    labels = np.repeat([0, 1, 2], 50)
    folds = stratified_folds(labels, CLASSES, Folds(repeats=3))
    other = stratified_folds(labels, CLASSES, Folds(repeats=3, seed=2))
    assert len({tuple(row.tolist()) for row in np.concatenate([folds, other])}) == 6
    assert (stratified_folds(labels, CLASSES, Folds()) == folds[:1]).all()


@pytest.mark.parametrize(
    ("sizes", "expected"), [([9, 4, 7], "'dog' .* 4 "), ([9, 9, 1], "'owl'"), ([9, 9, 0], "'owl'")]
)
def test_more_folds_than_the_smallest_class_has_images(sizes, expected):
    with pytest.raises(UserError, match=rf"folds\.count is 5.*{expected}"):
        stratified_folds(np.repeat([0, 1, 2], sizes), CLASSES, Folds())
    stratified_folds(np.repeat([0, 1, 2], [9, 5, 7]), CLASSES, Folds())


@given(LABELS, SEEDS, st.data())
def test_a_limit_keeps_the_order_and_the_shares(labels, seed, data):
    limit = data.draw(st.integers(len(CLASSES), len(labels)))
    settings = Data(limit=limit, seed=seed)
    try:
        chosen = at_most(labels, CLASSES, settings, "training")
    except UserError:  # only where a class's share is less than one image
        assert np.bincount(labels).min() * limit / len(labels) < 1
        return
    assert len(chosen) == limit
    assert (np.diff(chosen) > 0).all()
    due = np.bincount(labels) * limit / len(labels)
    assert np.abs(np.bincount(labels[chosen], minlength=3) - due).max() < 1
    assert (chosen == at_most(labels, CLASSES, settings, "training")).all()


def test_a_limit_that_loses_a_class_is_refused():
    for limit, rarest in ((10, 1), (2, 300)):
        labels = np.repeat([0, 1, 2], [600, 300, rarest])
        with pytest.raises(UserError, match=rf"data\.limit {limit}.*'owl'"):
            at_most(labels, CLASSES, Data(limit=limit), "test")


def test_a_limit_of_all_images_or_more_takes_all():
    for limit in (None, 18, 99):
        taken = at_most(np.tile([0, 1, 2], 6), CLASSES, Data(limit=limit), "test")
        assert (taken == np.arange(18)).all()


@given(LABELS, st.floats(0.05, 0.9), SEEDS)
def test_a_hold_out_has_each_class_and_is_repeatable(labels, fraction, seed):
    count, settings = round(fraction * len(labels)), Data(test_fraction=fraction, seed=seed)
    in_test = hold_out(labels, CLASSES, settings)
    all_of, sizes = np.bincount(labels), np.bincount(labels[in_test], minlength=3)
    assert sizes.min() >= 1
    assert (sizes < all_of).all()
    assert np.abs(sizes - fraction * all_of).max() < 2
    # where each class has at least one image in its share, the total is exact
    if min(count, len(labels) - count) * all_of.min() >= len(labels):
        assert in_test.sum() == count
    assert (in_test == hold_out(labels, CLASSES, settings)).all()


@pytest.mark.parametrize(
    ("sizes", "fraction", "expected"),
    [
        ([3, 3, 3], 0.2, [1, 1, 1]),
        ([4, 4, 4], 0.1, [1, 1, 1]),
        ([90, 90, 70], 0.004, [1, 1, 1]),
        ([90, 90, 2], 0.05, [4, 4, 1]),
        ([9, 9, 2], 0.95, [8, 8, 1]),
    ],
)
def test_a_small_class_gives_one_image_and_keeps_one(sizes, fraction, expected):
    labels = np.repeat([0, 1, 2], sizes)
    in_test = hold_out(labels, CLASSES, Data(test_fraction=fraction))
    assert np.bincount(labels[in_test]).tolist() == expected


def test_a_hold_out_of_a_single_image_is_refused():
    with pytest.raises(UserError, match=r"'dog' .* 1 "):
        hold_out(np.repeat([0, 1, 2], [9, 1, 9]), CLASSES, Data(test_fraction=0.5))


def test_purposes_repeats_and_seeds_have_uncorrelated_streams():
    chosen = itertools.product(PURPOSES, (0, 1, 2), (0, 1))
    drawn = np.array([random_state(*purpose).random(2000) for purpose in chosen])
    correlation = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(correlation).max() < 5 / np.sqrt(2000)
