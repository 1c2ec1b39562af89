"""The facts of a data set in words."""

import pytest

from stages.report.dataset import facts

NONE = {"groups": 0, "images": 0, "first": []}


def described(**content) -> str:
    ((_, sentence),) = facts(content)
    return sentence


def test_facts_come_in_a_fixed_order_and_empty_ones_are_left_out():
    content = {"notes": ["Pixels were scaled.", "Alpha was dropped."], "groups": {}}
    content |= {"source": "photos", "unreadable": {}}
    content |= {"pixels": {"mean": [1.24, 100.0], "std": [0.5, 7.0]}}
    assert facts(content) == [
        ("pixels", "mean ± sd 1.2 ± 0.5, 100.0 ± 7.0"),
        ("unreadable", "none"),
        ("notes", "Pixels were scaled. Alpha was dropped."),
    ]
    assert facts({"notes": []}) == []


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({}, "none: no two images have the same pixels"),
        ({"train": {"groups": 1, "images": 3}}, "3 training images are one picture repeated"),
        ({"test": {"groups": 2, "images": 4000}}, "4,000 test images are 2 pictures repeated"),
        (
            {"train": {"groups": 2, "images": 4}, "other_label": {"groups": 1}},
            "4 training images are 2 pictures repeated; one picture of the training set under two "
            "labels or more",
        ),
        (
            {"between": {"groups": 1, "first": [{"train": [3, 4], "test": [9]}]}},
            "one picture in both training and test set (training and test: 3 and 9)",
        ),
    ],
)
def test_duplicates(found, sentence):
    everything = dict.fromkeys(("train", "test", "other_label", "between"), NONE) | found
    assert described(duplicates=everything) == sentence


NEAR = {"searched": True, "groups": 0, "images": 0, "between": 0, "two_labels": 0}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"near_duplicates": {"searched": False}}, "not searched for"),
        ({"near_duplicates": NEAR}, "none found"),
        (
            {"near_duplicates": NEAR | {"groups": 1200, "images": 3000}},
            "3,000 images in 1,200 groups; near_duplicates.csv",
        ),
        (
            {"near_duplicates": NEAR | {"groups": 9, "images": 20, "between": 2, "two_labels": 1}},
            "20 images in 9 groups, 2 of them in both training and test set, 1 under more than one",
        ),
        ({"odd_images": {}}, "none found"),
        ({"odd_images": {"black": 1, "blurred": 20}}, "1 nearly black, 20 blurred; odd_images.csv"),
    ],
)
def test_near_duplicates_and_odd_images(content, sentence):
    ((name, shown),) = facts(content)
    assert name in ("near duplicates", "odd images")
    assert shown.startswith(sentence)


FILES = {f"{number}.png": "is empty" for number in range(5000)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"unreadable": FILES},
            "5,000 files left out (0.png: is empty; 1.png: is empty; 2.png: is empty; and 4,997 "
            "more in dataset.json)",
        ),
        ({"unreadable": {"x": "is empty"}}, "1 file left out (x: is empty)"),
        ({"imbalance": {"ratio": 1.0}}, "none: "),
        (
            {"imbalance": {"largest": "cat", "smallest": "owl", "ratio": 12.34}},
            "the largest class, cat, has 12.3 times as many",
        ),
        ({"groups": {"train": 1200, "test": 3}}, "1,200 in the training set, 3 others"),
    ],
)
def test_unreadable_files_imbalance_and_groups(content, sentence):
    assert described(**content).startswith(sentence)
