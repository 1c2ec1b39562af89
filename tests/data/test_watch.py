"""Data that DVC does not watch are refused, and those that change while they are read."""

import re
from pathlib import Path

import pytest

from stages.data.watch import check, check_unchanged, digests
from stages.errors import UserError
from tests import drawn
from tests.prepared import parse


@pytest.fixture(autouse=True)
def _in_a_stage(here, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "prepare")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for folder in ("photos/all", "photos/train", "photos-2", "data"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("groups.csv", "photos/groups.csv"):
        (tmp_path / file).touch()


def chosen(data, group=None):
    return parse(data=data, folds={"group": group})


@pytest.mark.parametrize(
    ("data", "group"),
    [
        ({}, None),
        ({"source": "mnsit"}, None),  # not there: refused with the nearest name
        ({"source": "photos", "watch": "{here}/photos"}, None),
        ({"source": "photos/all/", "watch": "./photos"}, "photos/groups.csv"),
        ({"source": "mnist", "folder": "data", "watch": "data"}, None),
        ({"watch": "groups.csv"}, "groups.csv"),
    ],
)
def test_watched_data_pass(here, data, group):
    data = {key: value.format(here=here) for key, value in data.items()}
    check(chosen(data, group))


@pytest.mark.parametrize(
    ("data", "group", "expected"),
    [
        ({"source": "photos", "watch": "photos/train"}, None, "data.source is 'photos'"),
        ({"source": "photos-2", "watch": "photos"}, None, "data.source is 'photos-2'"),
        ({"source": "mnist", "folder": "data"}, None, "data.folder is 'data'"),
        ({"source": "photos", "watch": "photos"}, "groups.csv", "folds.group is 'groups.csv'"),
    ],
)
def test_data_that_could_change_unnoticed_are_refused(data, group, expected, monkeypatch):
    with pytest.raises(UserError, match=f"{expected}.*not notice"):
        check(chosen(data, group))
    monkeypatch.delenv("DVC_STAGE")
    check(chosen(data, group))


def test_a_link_to_a_folder_is_watched_only_by_its_own_name(tmp_path):
    (tmp_path / "photos/linked").symlink_to(tmp_path / "photos-2")
    (tmp_path / "photos/linked/cats").mkdir()
    for source in ("photos/linked", "photos/linked/cats"):
        with pytest.raises(UserError, match="would not notice"):  # DVC does not follow it
            check(chosen({"source": source, "watch": "photos"}))
        check(chosen({"source": source, "watch": "photos/linked"}))


@pytest.mark.parametrize(
    ("data", "group", "expected"),
    [
        # the experiment's own files, though the repository has some of these names too
        ({"watch": "groups.csv"}, "groups.csv", None),
        ({"source": "mnist", "folder": "data", "watch": "data"}, None, None),
        # files that only the repository has, where DVC hashes those
        ({"source": "photos", "watch": "{top}/photos"}, None, None),
        # one has the files that are read, DVC hashes those of the other
        ({"source": "data/photos", "watch": "data"}, None, "--copy-paths"),
        ({"source": "data", "watch": "{top}/data"}, None, "not notice"),
    ],
)
def test_in_an_experiment_dvc_must_hash_the_files_that_are_read(
    tmp_path, monkeypatch, data, group, expected
):
    experiment = tmp_path / ".dvc/tmp/exps/one"
    for folder in (tmp_path / "data/photos", experiment / "data"):
        folder.mkdir(parents=True)
    (experiment / "groups.csv").touch()
    monkeypatch.chdir(experiment)
    settings = chosen({key: value.format(top=tmp_path) for key, value in data.items()}, group)
    if expected is None:
        return check(settings)
    with pytest.raises(UserError, match=expected):
        check(settings)


def test_a_digest_is_of_names_and_content_wherever_they_lie(tmp_path):
    files = drawn.classes("cat", "dog")
    one = chosen({"source": str(drawn.tree(tmp_path / "one", files))})
    two = chosen({"source": str(drawn.tree(tmp_path / "elsewhere/two", files))})
    before = digests(one)
    assert before == digests(two)
    assert digests(chosen({})) == {}
    assert set(digests(chosen({}, "absent.csv"))) == {"folds.group"}  # refused where it is read
    (tmp_path / "one/notes.txt").write_text("no image")
    check_unchanged(one, before)


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("data.source", lambda top: (top / "cat/0.png").write_bytes(b"another")),
        ("data.source", lambda top: (top / "cat/0.png").unlink()),
        ("data.source", lambda top: (top / "cat/0.png").rename(top / "cat/9.png")),
        ("data.source", lambda top: drawn.tree(top, {"cat/new.png": drawn.pixels(99)})),
        ("folds.group", lambda top: Path("groups.csv").write_text("row,group\n")),
    ],
)
def test_files_that_changed_are_refused(tmp_path, setting, change):
    top = drawn.tree(tmp_path / "pets", drawn.classes("cat", "dog"))
    settings = chosen({"source": "pets"}, "groups.csv")
    before = digests(settings)
    check_unchanged(settings, before)
    change(top)
    with pytest.raises(UserError, match=re.escape(setting)):
        check_unchanged(settings, before)
