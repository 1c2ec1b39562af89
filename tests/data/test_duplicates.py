"""Equal images: what is found, found_all, and refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data.duplicates import SHOWN, digests, find, numbered, refuse

FEW = st.lists(st.integers(0, 9), min_size=1, max_size=30)  # of which many are equal


def drawn(numbers, shape=(3, 2, 1)) -> np.ndarray:
    """Return an image for each number, equal for equal numbers and else different."""
    pictures = np.random.default_rng(1).permutation(256)[:100].astype(np.uint8)
    return np.broadcast_to(pictures[numbers][:, None, None, None], (len(numbers), *shape))


def found(train, test, labels=None, names=None):
    labels = np.zeros(len(train), int) if labels is None else np.array(labels)
    names = names or (list(range(len(train))), list(range(len(test))))
    return find(digests(drawn(train)), digests(drawn(test)), labels, names)


@given(FEW)
def test_digests_are_equal_for_equal_pixels_only(numbers):
    equal = np.equal.outer(numbers, numbers)
    of = numbered(digests(drawn(np.array(numbers))))
    assert (np.equal.outer(of, of) == equal).all()
    assert of[0] == 0
    assert (np.diff(np.unique(of, return_index=True)[1]) > 0).all()  # by first appearance


def test_a_single_pixel_and_channel_counts_and_the_memory_s_order_does_not():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images[3] = images[1]
    images[3, 7, 7, 2] ^= 1
    assert len(set(digests(images).tolist())) == 5
    assert (digests(np.asfortranarray(images)) == digests(images)).all()


def test_memory_mapped_images_are_hashed_one_by_one(tmp_path):
    images = np.arange(4000, dtype=np.uint8).reshape(10, 20, 20, 1)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert (digests(mapped) == digests(images)).all()


@given(FEW, FEW, st.integers(1, 3))
def test_counts_are_those_of_a_plain_count(train, test, kinds):
    labels = [row % kinds for row in range(len(train))]
    found_all = found(train, test, labels)
    for split, numbers in (("train", train), ("test", test)):
        twice = {number for number in numbers if numbers.count(number) > 1}
        assert found_all[split]["groups"] == len(twice)
        assert found_all[split]["images"] == sum(number in twice for number in numbers)
        assert [len({numbers[row] for row in rows}) for rows in found_all[split]["first"]] == [
            1
        ] * min(SHOWN, len(twice))
    both = set(train) & set(test)
    assert found_all["between"]["groups"] == len(both)
    assert found_all["between"]["images"] == sum(number in both for number in train + test)
    labelled = {}
    for number, label in zip(train, labels, strict=True):
        labelled.setdefault(number, set()).add(label)
    assert found_all["other_label"]["groups"] == sum(len(of) > 1 for of in labelled.values())


def test_files_are_named():
    names = (["a/1.png", "a/2.png", "b/3.png"], ["b/4.png"])
    found_all = found([1, 2, 1], [2], [0, 0, 1], names)
    assert (
        found_all["train"]["first"] == found_all["other_label"]["first"] == [["a/1.png", "b/3.png"]]
    )
    assert found_all["between"]["first"] == [{"train": ["a/2.png"], "test": ["b/4.png"]}]
    assert found_all["test"] == {"groups": 0, "images": 0, "first": []}


def test_lists_are_short():
    found_all = found(list(range(50)) * 9, list(range(50)))
    assert (found_all["train"]["groups"], found_all["train"]["images"]) == (50, 450)
    for split in ("train", "between"):
        assert len(found_all[split]["first"]) == SHOWN
    assert (
        len(found_all["train"]["first"][0])
        == len(found_all["between"]["first"][0]["train"])
        == SHOWN
    )


@pytest.mark.parametrize(
    ("test", "more"), [([3, 9], " so"), ([3, 1, 9], ", the first of 2 such pairs, so")]
)
def test_test_images_that_are_training_images_are_refused(test, more):
    with pytest.raises(ValueError) as refused:
        refuse(found([1, 2, 3], test))
    assert f"the same pixels{more}" in str(refused.value)
    assert "set data.duplicates to allow" in str(refused.value)
    assert str(refused.value).count(". ") == 0
    refuse(found([1, 1, 2], [4, 4]))


def test_sixty_thousand_images_are_compared_at_once():
    """The work grows with the images, not with their pairs; all equal is the worst case."""
    images = np.zeros((60_000, 2, 2, 1), np.uint8)
    images[:30_000, 0, 0, 0] = np.arange(30_000) % 251
    of = digests(images)
    found_all = find(of, of[:10], np.zeros(60_000, int), (range(60_000), range(10)))
    assert found_all["train"]["images"] == 60_000
    assert found_all["train"]["groups"] == 251
