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
