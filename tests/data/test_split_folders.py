"""Folders whose names mean splits are splits, never classes."""

import pytest

from stages.data import listing
from stages.data.split_folders import split_of
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn


@pytest.mark.parametrize(
    ("names", "split"),
    [
        ("train Train TRAINING seg_train training_set train-images", "train"),
        ("test Testing seg_test test_set", "test"),
        ("val valid Validation dev val_set", "validation"),
        ("trainer cat set images protest test_cat _ seg_pred", None),
    ],
)
def test_words_of_a_name_tell_the_split(names, split):
    assert [split_of(name) for name in names.split()] == [split] * len(names.split())


def layout(top, *folders, **settings):
    content = {f"{folder}/{name}/1.png": b"" for folder in folders for name in ("cat", "dog")}
    return listing.files(drawn.tree(top, content), Data(**settings))


@pytest.mark.parametrize(
    ("folders", "notes"),
    [
        (("Training", "Testing"), 0),
        (("seg_train/seg_train", "seg_test/seg_test"), 0),
        (("archive/data/train", "archive/data/test"), 1),
        (("train", "TEST"), 0),
    ],
)
def test_splits_by_any_usual_name_at_any_depth(tmp_path, folders, notes):
    found = layout(tmp_path, *folders)
    assert found.classes == ("cat", "dog")
    assert [split for split, *_ in found.rows] == ["train"] * 2 + ["test"] * 2
    assert len(found.notes) == notes


def test_one_folder_too_deep(tmp_path):
    found = layout(tmp_path, "photos/2024")
    assert found.classes == ("cat", "dog")
    assert "photos/2024" in found.notes[0]


@pytest.mark.parametrize(
    ("validation", "splits"),
    [
        ("train", {"train": ["train", "valid"], "test": ["test"]}),
        ("test", {"train": ["train"], "test": ["test", "valid"]}),
        ("ignore", {"train": ["train"], "test": ["test"]}),
    ],
)
def test_validation_images_go_where_the_setting_says(tmp_path, validation, splits):
    found = layout(tmp_path, "train", "test", "valid", validation=validation)
    for split, folders in splits.items():
        assert {file.split("/")[0] for part, _, file in found.rows if part == split} == {*folders}
    assert len(found.rows) == 2 * sum(map(len, splits.values()))
    assert ["valid" in note for note in found.notes] == [True]


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train", "extra"), "'train'.*'extra'"),
        (("Train", "training", "test"), "'Train', .*'training'"),
        (("test", "val"), "'test', 'val'"),
        (("test",), "test"),
    ],
)
def test_an_unclear_layout_is_refused_by_name(tmp_path, folders, expected):
    with pytest.raises(UserError, match=expected):
        layout(tmp_path, *folders)


def test_a_class_named_like_a_split_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"'test'.*'bus'"):
        listing.files(drawn.tree(tmp_path, {"test/1.png": b"", "bus/1.png": b""}), Data())
