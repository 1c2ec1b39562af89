"""Splits: equal images and groups stay together, and everything else is stratified."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from stages.data import folds
from stages.data.source import Source, Split
from stages.data.splits import make_splits
from stages.errors import UserError
from tests.data import photographs
from tests.prepared import parse

CLASSES = ("cat", "dog", "owl")


def drawn(pictures) -> np.ndarray:
    """Return uint8 (n, 2, 2, 1), equal for equal numbers only."""
    pictures = np.asarray(pictures)
    images = np.zeros((len(pictures), 2, 2, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = pictures % 256, pictures // 256
    return images


def split(pictures, files=None) -> Split:
    return Split(drawn(pictures), np.arange(len(pictures)) % 3, files)


def source(pictures, test=None) -> Source:
    return Source("drawings", "none", CLASSES, split(pictures), test and split(test))


def test_without_duplicates_and_groups_the_splits_are_plainly_stratified():
    raw = source(np.arange(300))
    given = parse(data={"seed": 3, "limit": 60}, folds={"count": 4, "repeats": 2})
    made, labels = make_splits(raw, given), raw.train.labels
    in_test = folds.hold_out(labels, CLASSES, given.data)
    train, test = np.flatnonzero(~in_test), np.flatnonzero(in_test)
    train = train[folds.at_most(labels[train], CLASSES, given.data, "training")]
    test = test[folds.at_most(labels[test], CLASSES, given.data, "test")]
    np.testing.assert_array_equal(made.train, train)
    np.testing.assert_array_equal(made.test, test)
    plain = folds.stratified_folds(labels[train], CLASSES, given.folds)
    np.testing.assert_array_equal(made.folds, plain)
    assert made.groups == {}


def test_the_same_images_are_known_again_in_another_order_and_split():
    first = make_splits(source(np.arange(90)), parse())
    again = make_splits(source(np.arange(90)[::-1]), parse(data={"seed": 5}, folds={"seed": 4}))
    assert again.images_sha256 == first.images_sha256
    others = make_splits(source(np.arange(1, 91)), parse())
    assert others.images_sha256 != first.images_sha256


@given(st.integers(60, 120), st.integers(0, 999))
@settings(max_examples=50)
def test_equal_images_are_never_on_both_sides(count, seed):
    """Few enough pictures are drawn that many images are equal."""
    pictures = np.random.default_rng(seed).integers(0, 60, count)
    raw = source(pictures)
    try:
        made = make_splits(raw, parse(data={"seed": seed}, folds={"count": 2, "seed": seed}))
    except UserError:  # too few different images of a class
        reject()
    assert sorted([*made.train, *made.test]) == list(range(len(pictures)))
    assert not set(pictures[made.train]) & set(pictures[made.test])
    for one in set(pictures[made.train].tolist()):
        assert len(set(made.folds[0, pictures[made.train] == one].tolist())) == 1
    assert made.duplicates["between"]["groups"] == 0


def test_copies_do_not_hide_that_a_class_is_too_small():
    rows = np.arange(90)
    few = np.where(rows % 3 == 1, rows // 3 % 5, 100 + rows)
    with pytest.raises(UserError, match="'dog' has only 4 different"):
        make_splits(source(few), parse())


def test_a_test_set_that_holds_training_images_is_refused_unless_allowed():
    train = split(np.arange(30), tuple(f"{row}.png" for row in range(30)))
    raw = Source("photos", "none", CLASSES, train, split([200, 7, 201], ("a", "b", "c")))
    with pytest.raises(UserError, match=r"'7\.png' and the test image 'b'"):
        make_splits(raw, parse())
    made = make_splits(raw, parse(data={"duplicates": "allow"}))
    assert made.duplicates["between"]["groups"] == 1
    assert len(made.test) == 3


def photographed() -> tuple[Source, list[int]]:
    """Return a source of pictures, each with two copies, and what each shows."""
    pieces = [photographs.pieces()[row] for row in photographs.DISTINCT]
    copies = [photographs.encoded(one, 70) for one in pieces]
    copies += [photographs.cropped(one) for one in pieces]
    images = photographs.images([*pieces, *copies])
    labels = np.arange(len(images)) % 2
    return Source("photos", "none", ("cat", "dog"), Split(images, labels)), [
        *range(len(pieces))
    ] * 3


def test_near_duplicates_are_listed_or_refused_or_stay_together():
    raw, shows = photographed()
    made = make_splits(raw, parse(folds={"count": 2}))
    assert [len(one.train) + len(one.test) for one in made.near] == [3] * len(set(shows))
    assert any(one.train and one.test for one in made.near)
    assert len(made.notes) == 1
    with pytest.raises(UserError, match=r"both training and test.*data\.near_duplicates to group"):
        make_splits(raw, parse(data={"near_duplicates": "refuse"}, folds={"count": 2}))
    ignored = make_splits(raw, parse(data={"near_duplicates": "ignore"}, folds={"count": 2}))
    assert ignored.near is None
    assert ignored.notes == ()
    np.testing.assert_array_equal(ignored.folds, made.folds)

    together = parse(data={"near_duplicates": "group"}, folds={"count": 2})
    made = make_splits(raw, together)
    assert not any(one.train and one.test for one in made.near)
    for one in made.near:
        assert len({*made.folds[0, one.train].tolist()}) <= 1
    assert made.notes == ()
    assert made.groups == {}


@pytest.mark.parametrize("setting", ["group", "refuse"])
def test_images_too_small_to_search_are_refused_if_a_search_was_asked_for(setting):
    images = np.arange(12, dtype=np.uint8)[:, None, None, None].repeat(31, 1).repeat(31, 2)
    small = Source("photos", "none", ("cat", "dog"), Split(images, np.arange(12) % 2))
    make_splits(small, parse(folds={"count": 2}))
    with pytest.raises(UserError, match=rf"'{setting}'.*less than 32 pixels"):
        make_splits(small, parse(data={"near_duplicates": setting}, folds={"count": 2}))


def test_many_images_are_searched_for_near_duplicates_only_if_asked(monkeypatch):
    raw, _ = photographed()
    monkeypatch.setattr("stages.data.near_duplicates.MOST", 3)
    assert make_splits(raw, parse(folds={"count": 2})).near is None
    asked = parse(data={"near_duplicates": "group"}, folds={"count": 2})
    assert make_splits(raw, asked).near


def test_near_duplicates_are_joined_with_groups_and_a_test_set_stays_as_it_is():
    raw, shows = photographed()
    group_of = [f"{min(row, 7)}" for row in range(len(shows))]  # the copies are one group
    given = {"count": 2, "group": group(group_of)}
    with pytest.raises(UserError, match="only 1 group"):  # each picture is linked to it
        make_splits(raw, parse(data={"near_duplicates": "group"}, folds=given))
    make_splits(raw, parse(folds=given))

    half = len(shows) // 3
    parts = [raw.train._replace(images=raw.train.images[rows], labels=raw.train.labels[rows])
             for rows in (slice(half), slice(half, None))]  # fmt: skip
    own = Source("photos", "none", raw.classes, *parts)
    made = make_splits(own, parse(data={"near_duplicates": "group"}, folds={"count": 2}))
    assert len(made.train) == half
    assert all(one.train and len(one.test) == 2 for one in made.near)
    assert "remove them from one" in made.notes[0]


def group(group_of) -> str:
    lines = [f"{row},{group}" for row, group in enumerate(group_of)]
    Path("groups.csv").write_text("\n".join(["row,group", *lines]) + "\n")
    return "groups.csv"


def test_groups_stay_in_one_split_and_one_fold_and_so_do_equal_images_of_two_groups():
    group_of = np.random.default_rng(0).integers(0, 40, 600)
    pictures = np.arange(600)
    pictures[np.flatnonzero(group_of == 3)[0]] = pictures[np.flatnonzero(group_of == 9)[0]]
    given = parse(folds={"count": 4, "repeats": 2, "group": group(group_of)})
    made = make_splits(source(pictures), given)
    assert sorted([*made.train, *made.test]) == list(range(600))
    assert len(made.test) == pytest.approx(120, abs=12)
    assert not set(group_of[made.train]) & set(group_of[made.test])
    counts = {split: len(set(group_of[getattr(made, split)])) for split in ("train", "test")}
    assert made.groups == counts
    assert sum(made.groups.values()) == 40
    part = np.full((2, 600), -1)
    part[:, made.train] = made.folds
    for repeat in part:
        for one in range(40):
            assert len(set(repeat[group_of == one].tolist())) == 1
        assert repeat[group_of == 3][0] == repeat[group_of == 9][0]
        assert np.bincount(repeat[made.train]) == pytest.approx(len(made.train) / 4, rel=0.1)


def test_a_limit_takes_the_groups_of_what_it_takes():
    group_of = np.arange(600) // 6
    given = parse(data={"limit": 90}, folds={"count": 3, "group": group(group_of)})
    made = make_splits(source(np.arange(600)), given)
    assert (len(made.train), len(made.test)) == (90, 90)
    assert made.groups["train"] == len(set(group_of[made.train]))
