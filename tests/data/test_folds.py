"""Folds, hold-out and limit as properties over many label lists, with some cases by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.data.folds import at_most, hold_out, stratified_folds
from stages.errors import UserError

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
    folds = stratified_folds(labels, CLASSES, count, repeats, seed)
    assert folds.shape == (repeats, len(labels))
    assert folds.dtype == np.int16
    for fold_of in folds:
        # one number an image: each is validated exactly once; no fold and no class is left out
        assert set(fold_of.tolist()) == set(range(count))
        assert spread(np.bincount(fold_of)) <= 1
        for label in range(len(CLASSES)):
            assert spread(np.bincount(fold_of[labels == label], minlength=count)) <= 1
    assert (folds == stratified_folds(labels, CLASSES, count, repeats, seed)).all()


def test_other_repeats_and_other_seeds_split_differently():
    labels = np.repeat([0, 1, 2], 50)
    folds = stratified_folds(labels, CLASSES, 5, 3, seed=1)
    other = stratified_folds(labels, CLASSES, 5, 3, seed=2)
    different = {tuple(row.tolist()) for row in np.concatenate([folds, other])}
    assert len(different) == 6


def test_more_repeats_leave_the_first_ones_as_they_were():
    labels = np.repeat([0, 1, 2], 50)
    few, many = (stratified_folds(labels, CLASSES, 5, repeats, 1) for repeats in (1, 3))
    assert (many[:1] == few).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([9, 4, 7], "folds.count is 5, but class 'dog' has only 4 .* use at most 4 folds or give"),
        ([9, 9, 1], "class 'owl' has only 1 different training images; give the class more images"),
        ([9, 9, 0], "class 'owl' has only 0 different training images; give the class more images"),
    ],
)
def test_more_folds_than_the_smallest_class_has_images(sizes, message):
    with pytest.raises(ValueError, match=message):
        stratified_folds(np.repeat([0, 1, 2], sizes), CLASSES, 5, 1, 1)


def test_as_many_folds_as_the_smallest_class_has_images_are_allowed():
    folds = stratified_folds(np.repeat([0, 1, 2], [9, 5, 7]), CLASSES, 5, 1, 1)
    assert folds.max() == 4


@given(LABELS, SEEDS, st.data())
def test_a_limit_keeps_the_order_and_the_shares(labels, seed, data):
    limit = data.draw(st.integers(len(CLASSES), len(labels)))
    try:
        chosen = at_most(limit, labels, CLASSES, "training", seed)
    except UserError:  # only where a class's share is less than one image
        assert np.bincount(labels).min() * limit / len(labels) < 1
        return
    assert len(chosen) == limit
    assert (np.diff(chosen) > 0).all()
    due = np.bincount(labels) * limit / len(labels)
    assert np.abs(np.bincount(labels[chosen], minlength=3) - due).max() < 1
    assert (chosen == at_most(limit, labels, CLASSES, "training", seed)).all()


def test_other_seeds_and_other_splits_choose_others():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    choices = [
        at_most(10, labels, CLASSES, split, seed).tolist()
        for split in ("training", "test")
        for seed in (1, 2)
    ]
    assert len({tuple(choice) for choice in choices}) == 4
    assert np.bincount(labels[choices[0]]).tolist() == [6, 3, 1]


def test_a_limit_that_loses_a_class_is_refused():
    with pytest.raises(UserError, match=r"data\.limit.*'owl'"):
        at_most(10, np.repeat([0, 1, 2], [600, 300, 1]), CLASSES, "test", 1)


@given(LABELS, st.floats(0.05, 0.9), SEEDS)
def test_a_hold_out_is_disjoint_whole_and_stratified(labels, fraction, seed):
    count = round(fraction * len(labels))
    try:
        train, test = hold_out(labels, CLASSES, fraction, seed)
    except UserError:  # only where a class's share of a split is less than one image
        rarest = np.bincount(labels).min() / len(labels)
        assert min(count, len(labels) - count) * rarest < 1
        return
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    assert len(test) == count
    for rows in (train, test):
        assert np.bincount(labels[rows], minlength=3).min() >= 1


def test_a_hold_out_takes_the_same_share_of_each_class():
    labels = np.tile(np.repeat([0, 1, 2], [50, 30, 20]), 10)
    train, test = hold_out(labels, CLASSES, 0.2, seed=1)
    assert np.bincount(labels[test]).tolist() == [100, 60, 40]
    assert np.bincount(labels[train]).tolist() == [400, 240, 160]


@pytest.mark.parametrize(
    ("sizes", "fraction", "message"),
    [
        ([9, 1, 9], 0.5, "class 'dog' has only 1 different images"),
        ([90, 90, 70], 0.004, r"is 1 of 250 images for 3 classes; use 0\.012 or more"),
        ([9, 9, 2], 0.9, r"data\.test_fraction is 0\.9"),
        ([90, 90, 2], 0.05, r"data\.test_fraction 0\.05 leaves no test image of class 'owl'"),
    ],
)
def test_a_hold_out_that_cannot_be(sizes, fraction, message):
    with pytest.raises(ValueError, match=message):
        hold_out(np.repeat([0, 1, 2], sizes), CLASSES, fraction, 1)


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, [6, 6, 6]), (18, [6, 6, 6]), (99, [6, 6, 6]), (9, [3, 3, 3])]
)
def test_at_most(limit, expected):
    labels = np.tile([0, 1, 2], 6)
    assert np.bincount(labels[at_most(limit, labels, CLASSES, "test", 1)]).tolist() == expected


def test_a_limit_below_the_number_of_classes_is_refused():
    with pytest.raises(ValueError, match=r"data\.limit is 2, but there are 3 classes; use 3 or"):
        at_most(2, np.tile([0, 1, 2], 6), CLASSES, "test", 1)
