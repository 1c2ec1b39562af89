"""Folds, hold-out and limit as properties over many label lists, with some cases by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.data.folds import at_most, choose, hold_out, stratified_folds

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


def test_other_repeats_and_other_seeds_divide_otherwise():
    labels = np.repeat([0, 1, 2], 50)
    folds = stratified_folds(labels, CLASSES, 5, 3, seed=1)
    other = stratified_folds(labels, CLASSES, 5, 3, seed=2)
    different = {tuple(row.tolist()) for row in np.concatenate([folds, other])}
    assert len(different) == 6


def test_more_repeats_leave_the_first_ones_as_they_were():
    labels = np.repeat([0, 1, 2], 50)
    few, many = (stratified_folds(labels, CLASSES, 5, repeats, 1) for repeats in (1, 3))
    assert (many[:1] == few).all()


def test_the_division_is_the_one_of_scikit_learn():
    from sklearn.model_selection import StratifiedKFold

    labels = np.repeat([0, 1, 2], [13, 29, 8])
    ours = stratified_folds(labels, CLASSES, 5, 1, seed=1)[0]
    theirs = np.empty_like(ours)
    splitter = StratifiedKFold(5, shuffle=True, random_state=1)
    for fold, (_, validation) in enumerate(splitter.split(labels, labels)):
        theirs[validation] = fold
    for label in range(3):
        counts = [np.bincount(f[labels == label], minlength=5).tolist() for f in (ours, theirs)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([9, 4, 7], "folds.count is 5, but class 'dog' has only 4 .* use at most 4 folds or give"),
        ([9, 9, 1], "class 'owl' has only 1 different training images; give the class more images"),
        ([9, 9, 0], "class 'owl' has only 0 different training images; give the class more images"),
    ],
)
def test_more_folds_than_the_smallest_class_has_images(sizes, said):
    with pytest.raises(ValueError, match=said):
        stratified_folds(np.repeat([0, 1, 2], sizes), CLASSES, 5, 1, 1)


def test_as_many_folds_as_the_smallest_class_has_images_are_allowed():
    folds = stratified_folds(np.repeat([0, 1, 2], [9, 5, 7]), CLASSES, 5, 1, 1)
    assert folds.max() == 4


@given(LABELS, SEEDS, st.data())
def test_a_choice_keeps_the_order_and_the_shares(labels, seed, data):
    count = data.draw(st.integers(len(CLASSES), len(labels)))
    chosen = choose(labels, count, np.random.default_rng(seed))
    assert len(chosen) == count
    assert (np.diff(chosen) > 0).all()
    sizes, taken = np.bincount(labels), np.bincount(labels[chosen], minlength=3)
    assert taken.min() >= 1
    # Sainte-Lague: no class that has one over its least is further on than the next of another
    for one in range(3):
        for other in range(3):
            if taken[one] > 1 and taken[other] < sizes[other]:
                assert (taken[one] - 0.5) / sizes[one] <= (taken[other] + 0.5) / sizes[other]
    assert (chosen == choose(labels, count, np.random.default_rng(seed))).all()


def test_choices_by_hand():
    labels = np.repeat([0, 1, 2], [60, 30, 1])
    assert np.bincount(labels[choose(labels, 10, np.random.default_rng(1))]).tolist() == [6, 3, 1]
    assert np.bincount(labels[choose(labels, 3, np.random.default_rng(1))]).tolist() == [1, 1, 1]
    assert (
        choose(labels, 10, np.random.default_rng(1)).tolist()
        != choose(labels, 10, np.random.default_rng(2)).tolist()
    )


@given(LABELS, st.floats(0.05, 0.9), SEEDS)
def test_a_hold_out_is_disjoint_whole_and_stratified(labels, fraction, seed):
    assume(round(fraction * len(labels)) >= len(CLASSES))
    train, test = hold_out(labels, CLASSES, fraction, seed)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    assert len(test) == round(fraction * len(labels))
    assert np.bincount(labels[test], minlength=3).min() >= 1


def test_a_hold_out_takes_the_same_share_of_each_class():
    labels = np.tile(np.repeat([0, 1, 2], [50, 30, 20]), 10)
    train, test = hold_out(labels, CLASSES, 0.2, seed=1)
    assert np.bincount(labels[test]).tolist() == [100, 60, 40]
    assert np.bincount(labels[train]).tolist() == [400, 240, 160]


@pytest.mark.parametrize(
    ("sizes", "fraction", "said"),
    [
        ([9, 1, 9], 0.5, "class 'dog' has only 1 different images"),
        ([90, 90, 70], 0.004, r"is 1 of 250 images for 3 classes; use 0\.012 or more"),
    ],
)
def test_a_hold_out_that_cannot_be(sizes, fraction, said):
    with pytest.raises(ValueError, match=said):
        hold_out(np.repeat([0, 1, 2], sizes), CLASSES, fraction, 1)


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, [6, 6, 6]), (18, [6, 6, 6]), (99, [6, 6, 6]), (9, [3, 3, 3])]
)
def test_at_most(limit, expected):
    labels = np.tile([0, 1, 2], 6)
    assert (
        np.bincount(labels[at_most(limit, labels, CLASSES, np.random.default_rng(1))]).tolist()
        == expected
    )


def test_a_limit_below_the_number_of_classes_is_refused():
    with pytest.raises(ValueError, match=r"data\.limit is 2, but there are 3 classes; use 3 or"):
        at_most(2, np.tile([0, 1, 2], 6), CLASSES, np.random.default_rng(1))
