"""Groups of near duplicates: planted copies, and what is reported and done about them."""

import numpy as np
import pytest

from stages.data import decode, near_duplicates
from stages.data.duplicates import digests
from stages.data.near_duplicates import Found, Group
from stages.data.source import Split
from stages.errors import UserError
from stages.settings.sections import Data
from tests.data import photographs


def split(pictures, sizes=None, side=64) -> Split:
    images = photographs.images(pictures, side)
    return Split(images, np.zeros(len(images), np.int64), sizes=sizes)


def find(*splits, padded=False) -> Found | None:
    return near_duplicates.find(splits, np.concatenate([digests(s.images) for s in splits]), padded)


def test_planted_copies_are_found_within_and_between_splits_and_nothing_else():
    pictures = [photographs.pieces()[row] for row in photographs.DISTINCT]
    first, second = pictures[1], pictures[4]
    train = [*pictures[:4], photographs.encoded(first, 60), first]
    test = [*pictures[4:], photographs.cropped(first), photographs.lighter(second)]
    found = find(split(train), split(test))
    assert found.number.tolist() == [-1, 0, -1, -1, 0, 0, 1, -1, -1, -1, 0, 1]
    near = found.number >= 0
    assert (found.distance[near] <= near_duplicates.NEAR).all()
    assert np.isinf(found.distance[~near]).all()
    assert found.distance[1] == found.distance[5] == 0  # the same pixels


def test_a_chain_of_copies_is_one_group():
    picture = photographs.pieces()[30]
    steps = [picture]
    for _ in range(4):
        steps.append(photographs.cropped(steps[-1], 0.04, 0.04, 0, 0))
    others = [photographs.pieces()[row] for row in photographs.DISTINCT if row != 30]
    found = find(split([*steps, *others]))
    assert found.number.tolist() == [0] * 5 + [-1] * len(others)
    assert find(split([steps[0], steps[-1], *others])).number.max() == -1


def test_the_padding_of_different_pictures_does_not_make_them_alike():
    """Dark scenes on white bars: nearly all contrast is that of the bars."""
    data = Data(background="white")
    narrow = [
        photographs.lighter(one, 0.3).resize((24, 96)) for one in photographs.pieces()[24:40:3]
    ]
    images = np.array([decode.resized(one, (64, 64, 3), data) for one in narrow])
    labels, sizes = np.zeros(len(images), np.int64), np.tile([96, 24], (len(images), 1))
    assert find(Split(images, labels, sizes=sizes), padded=True).number.max() == -1
    assert find(Split(images, labels, sizes=sizes), padded=False).number.max() >= 0


def test_files_of_other_proportions_are_no_copies():
    picture = photographs.pieces()[30]
    for sizes, number in (([[96, 96], [90, 96]], 0), ([[96, 96], [96, 200]], -1)):
        found = find(split([picture, photographs.encoded(picture, 80)], np.array(sizes)))
        assert found.number.tolist() == [number] * 2


def test_small_images_are_not_searched_and_a_single_one_has_no_copy():
    pictures = photographs.pieces()[:3]
    assert find(split(pictures, side=near_duplicates.LEAST - 1)) is None
    assert find(split(pictures[:1], side=near_duplicates.LEAST)).number.tolist() == [-1]


def members(numbers, start=0) -> Found:
    numbers = np.array(numbers)
    return Found(numbers, np.where(numbers < 0, np.inf, 0.1))


def test_groups_in_both_splits_come_first_then_two_labels_and_single_ones_are_dropped():
    train, test = members([0, 0, 1, 2, 2, 3, -1]), members([1, 4, -1])
    labels = np.array([5, 5, 5, 5, 6, 5, 5]), np.array([5, 5, 5])
    found = near_duplicates.groups(train, test, labels)
    assert found == [
        Group([2], [0], 1, [0.1, 0.1]),
        Group([3, 4], [], 2, [0.1, 0.1]),
        Group([0, 1], [], 1, [0.1, 0.1]),
    ]
    assert near_duplicates.summary(found) == {
        "searched": True,
        "groups": 3,
        "images": 6,
        "between": 1,
        "two_labels": 1,
    }
    named = [("train", row) for row in range(7)] + [("test", row) for row in range(3)]
    table = near_duplicates.table(found, named, 7)
    assert table[:2] == [(0, "train", 2, 0.1), (0, "test", 0, 0.1)]
    assert [row[0] for row in table] == [0, 0, 1, 1, 2, 2]
    names = [f"{row}.png" for row in range(7)], ["a", "b", "c"]
    both, labelled = near_duplicates.notes(found, names, own_test=False)
    assert "'2.png' and 'a'" in both
    assert "data.near_duplicates to group" in both
    assert "'3.png' and '4.png'" in labelled
    assert "to group" not in near_duplicates.notes(found, names, own_test=True)[0]
    with pytest.raises(UserError, match=r"'2\.png' and 'a'.*data\.near_duplicates to list"):
        near_duplicates.refuse(found, names, own_test=True)
    near_duplicates.refuse(found[1:], names, own_test=True)
    assert near_duplicates.groups(members([-1]), members([-1]), (labels[0][:1],) * 2) == []
    assert near_duplicates.notes([], names, own_test=True) == ()
    assert near_duplicates.summary(None) == {"searched": False}
