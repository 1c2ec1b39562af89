"""Equal images: how they are found, counted, listed and refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data.duplicates import SHOWN, digests, find, labelled_twice, refuse
from stages.errors import UserError

FEW = st.lists(st.integers(0, 9), min_size=1, max_size=30)  # of which many are equal


def drawn(numbers) -> np.ndarray:
    """Return an image for each number, equal for equal numbers and else different."""
    pictures = np.random.default_rng(1).permutation(256)[:100].astype(np.uint8)
    return np.broadcast_to(pictures[numbers][:, None, None, None], (len(numbers), 3, 2, 1))


def found(train, test, labels=None, names=None):
    labels = np.zeros(len(train), int) if labels is None else np.array(labels)
    names = names or (list(range(len(train))), list(range(len(test))))
    return find(digests(drawn(train)), digests(drawn(test)), labels, names)


@given(FEW)
def test_digests_are_equal_for_equal_pixels_only(numbers):
    equal = np.equal.outer(numbers, numbers)
    found = digests(drawn(np.array(numbers))).tolist()
    assert [[one == other for other in found] for one in found] == equal.tolist()


def test_each_pixel_and_channel_counts_but_not_the_memory_layout(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images[3] = images[1]
    images[3, 7, 7, 2] ^= 1
    np.save(tmp_path / "images.npy", images)
    assert len(set(digests(images).tolist())) == 5
    for other in (np.asfortranarray(images), np.load(tmp_path / "images.npy", mmap_mode="r")):
        assert (digests(other) == digests(images)).all()


@given(FEW, FEW, st.integers(1, 3))
def test_counts_are_those_of_a_plain_count(train, test, kinds):
    labels = [row % kinds for row in range(len(train))]
    counted = found(train, test, labels)
    for split, numbers in (("train", train), ("test", test)):
        twice = {number for number in numbers if numbers.count(number) > 1}
        assert counted[split]["groups"] == len(twice)
        assert counted[split]["images"] == sum(number in twice for number in numbers)
        listed = [[numbers[row] for row in rows] for rows in counted[split]["first"]]
        by_first = [number for number in dict.fromkeys(numbers) if number in twice]
        assert listed == [[one] * min(SHOWN, numbers.count(one)) for one in by_first[:SHOWN]]
    both = set(train) & set(test)
    assert counted["between"]["groups"] == len(both)
    assert counted["between"]["images"] == sum(number in both for number in train + test)
    labelled = {}
    for number, label in zip(train, labels, strict=True):
        labelled.setdefault(number, set()).add(label)
    assert counted["other_label"]["groups"] == sum(len(each) > 1 for each in labelled.values())


def test_files_are_named():
    names = (["a/1.png", "a/2.png", "b/3.png"], ["b/4.png"])
    named = found([1, 2, 1], [2], [0, 0, 1], names)
    assert named["train"]["first"] == named["other_label"]["first"] == [["a/1.png", "b/3.png"]]
    assert named["between"]["first"] == [{"train": ["a/2.png"], "test": ["b/4.png"]}]
    with pytest.raises(UserError, match=r"a/2\.png.*b/4\.png.*data\.duplicates"):
        refuse(named)
    refuse(found([1, 1, 2], [4, 4]))


def test_images_in_two_classes_are_named_with_both():
    hashes = np.frombuffer(b"".join(bytes([n] * 16) for n in (1, 2, 1, 3, 2)), "V16")
    names = [f"{row}.png" for row in range(5)]
    (note,) = labelled_twice(hashes, np.array([0, 1, 1, 1, 0]), names, ("cat", "dog"))
    assert "2 training images" in note
    assert "'0.png' (cat) and '2.png' (dog)" in note
    assert labelled_twice(hashes, np.array([0, 1, 0, 1, 1]), names, "ab") == ()
    with pytest.raises(UserError, match=r"'owl'.*'1\.png' \(dog\) and '4\.png' \(owl\)"):
        labelled_twice(hashes, np.array([0, 1, 0, 1, 2]), names, ("cat", "dog", "owl"))
