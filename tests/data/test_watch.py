"""Inside of DVC, data that it does not watch are refused."""

import pytest

from stages import params
from stages.data.watch import check

ROW = {"variants": {"basic": {"architecture": "basic"}}}
ROW["compare"] = {"variants": ["basic"], "baseline": "basic"}


@pytest.fixture(autouse=True)
def _in_a_stage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "prepare")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for folder in ("photos/all", "photos/train", "photos-2", "data"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("groups.csv", "photos/groups.csv"):
        (tmp_path / file).touch()


def chosen(data, group=None) -> params.Params:
    return params.parse({**ROW, "data": data, "folds": {"group": group}})


@pytest.mark.parametrize(
    ("data", "group"),
    [
        ({}, None),
        ({"source": "mnist"}, None),
        ({"source": "mnsit"}, None),  # not there: refused with the nearest name
        ({"source": "photos", "watch": "photos"}, None),
        ({"source": "photos/all/", "watch": "./photos"}, "photos/groups.csv"),
        ({"source": "mnist", "folder": "data", "watch": "data"}, None),
        ({"watch": "groups.csv"}, "groups.csv"),
    ],
)
def test_watched_data_pass(data, group):
    check(chosen(data, group))


@pytest.mark.parametrize(
    ("data", "group", "said"),
    [
        ({"source": "photos"}, None, "data.source is 'photos'"),
        ({"source": "photos", "watch": "photos/train"}, None, "set data.watch to 'photos'"),
        ({"source": "photos-2", "watch": "photos"}, None, "data.source is 'photos-2'"),
        ({"source": "mnist", "folder": "data"}, None, "data.folder is 'data'"),
        ({"source": "photos", "watch": "photos"}, "groups.csv", "folds.group is 'groups.csv'"),
    ],
)
def test_data_that_could_change_unnoticed_are_refused(data, group, said, monkeypatch):
    with pytest.raises(ValueError, match="notice no change") as refused:
        check(chosen(data, group))
    assert said in str(refused.value)
    monkeypatch.delenv("DVC_STAGE")
    check(chosen(data, group))


def test_an_absolute_path_and_a_relative_one_are_the_same_place(tmp_path):
    check(chosen({"source": "photos", "watch": str(tmp_path / "photos")}))
