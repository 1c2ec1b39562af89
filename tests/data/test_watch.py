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
        ({"source": "mnist"}, None),
        ({"source": "mnsit"}, None),  # not there: refused with the nearest name
        ({"source": "photos", "watch": "photos"}, None),
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
        ({"source": "photos"}, None, "data.source is 'photos'"),
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
    for source in ("photos/linked", "photos/linked/cats"):
        (tmp_path / source).mkdir(exist_ok=True)
        with pytest.raises(UserError, match="would not notice"):  # DVC does not follow it
            check(chosen({"source": source, "watch": "photos"}))
        check(chosen({"source": source, "watch": "photos/linked"}))


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Go to the folder of a temporary experiment, which has data/ and groups.csv, no photos."""
    folder = tmp_path / ".dvc/tmp/exps/one"
    (folder / "data").mkdir(parents=True)
    (folder / "groups.csv").touch()
    monkeypatch.chdir(folder)
    return folder


def test_an_experiment_s_own_files_pass_though_the_repository_has_such_too(experiment):
    check(chosen({"watch": "groups.csv"}, "groups.csv"))
    check(chosen({"source": "mnist", "folder": "data", "watch": "data"}))


def test_the_repository_s_files_pass_where_dvc_hashes_those(experiment, tmp_path):
    check(chosen({"source": "photos", "watch": str(tmp_path / "photos")}))
    check(chosen({"source": str(tmp_path / "photos/all"), "watch": str(tmp_path / "photos")}))


@pytest.mark.parametrize("absolute", [False, True])
def test_files_that_only_the_repository_has_are_refused_where_dvc_hashes_others(
    experiment, tmp_path, absolute
):
    (tmp_path / "data/photos").mkdir()
    given = str(tmp_path / "data/photos") if absolute else "data/photos"
    with pytest.raises(UserError, match="--copy-paths") as refused:
        check(chosen({"source": given, "watch": "data"}))
    assert "\n" not in str(refused.value)


def test_an_experiment_s_own_files_are_refused_where_dvc_hashes_the_repository_s(
    experiment, tmp_path
):
    with pytest.raises(UserError, match="would not notice"):
        check(chosen({"source": "data", "watch": str(tmp_path / "data")}))


def test_a_digest_is_of_names_and_content_wherever_they_lie(tmp_path):
    files = drawn.classes("cat", "dog")
    one = chosen({"source": str(drawn.tree(tmp_path / "one", files))})
    two = chosen({"source": str(drawn.tree(tmp_path / "elsewhere/two", files))})
    assert digests(one) == digests(two)
    assert digests(chosen({})) == {}
    before = digests(one)
    (tmp_path / "one/notes.txt").write_text("no image")
    check_unchanged(one, before)
    (tmp_path / "one/cat/0.png").rename(tmp_path / "one/cat/9.png")
    with pytest.raises(UserError, match=r"data\.source changed while"):
        check_unchanged(one, before)


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("data.source", lambda top: (top / "cat/0.png").write_bytes(b"another")),
        ("data.source", lambda top: (top / "cat/0.png").unlink()),
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
