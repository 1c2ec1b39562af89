"""The facts of a data set in words."""

import pytest

from stages.report.dataset import facts

NONE = {key: {"groups": 0} for key in ("train", "test", "other_label", "between")}
NEAR = {"searched": True, "groups": 0, "images": 0, "between": 0, "two_labels": 0}
FILES = {f"{number}.png": "is empty" for number in range(5000)}
IMBALANCE = {"largest": "cat", "smallest": "owl", "ratio": 12.34}
BETWEEN = {"groups": 1, "first": [{"train": [3, 4], "test": [9]}]}


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
    ("name", "fact", "parts"),
    [
        ("duplicates", NONE, ["none"]),
        ("duplicates", NONE | {"train": {"groups": 1, "images": 3}}, ["3 training", "one picture"]),
        ("duplicates", NONE | {"test": {"groups": 2, "images": 4000}}, ["4,000 test", "2 pict"]),
        ("duplicates", NONE | {"other_label": {"groups": 1}}, ["one picture", "two labels"]),
        ("duplicates", NONE | {"between": BETWEEN}, ["one picture", "3 and 9"]),
        ("near_duplicates", {"searched": False}, ["not searched for"]),
        ("near_duplicates", NEAR, ["none found"]),
        ("near_duplicates", NEAR | {"groups": 1200, "images": 3000}, ["3,000", "1,200 groups"]),
        ("near_duplicates", NEAR | {"groups": 9, "between": 2}, ["2 of them in both"]),
        ("near_duplicates", NEAR | {"groups": 9, "two_labels": 1}, ["1 under more than one"]),
        ("odd_images", {}, ["none found"]),
        ("odd_images", {"black": 1, "blurred": 20}, ["1 nearly black", "20 blurred"]),
        ("unreadable", FILES, ["5,000 files", "2.png: is empty", "4,997 more"]),
        ("unreadable", {"x": "is empty"}, ["1 file ", "x: is empty"]),
        ("imbalance", {"ratio": 1.0}, ["none"]),
        ("imbalance", IMBALANCE, ["cat", "12.3", "owl"]),
        ("groups", {"train": 1200, "test": 3}, ["1,200 in the training", "3 others"]),
    ],
)
def test_a_fact_has_its_numbers_and_names(name, fact, parts):
    ((title, sentence),) = facts({name: fact})
    assert title == name.replace("_", " ")
    assert [part for part in parts if part not in sentence] == []
