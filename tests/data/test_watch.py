"""Data that DVC does not watch are refused, and those that change while they are read."""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from benchmarks.inputs import ROOT
from stages.data.watch import WRITTEN, best, check, check_unchanged, digests, is_wrong
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
        ({"source": "photos", "watch": "photos/train"}, None, "data.source .*not notice.*'photos'"),
        ({"source": "photos-2", "watch": "photos"}, None, "data.source .*not notice.*'photos-2'"),
        ({"source": "mnist", "folder": "photos"}, None, "data.folder .*not notice.*'photos'"),
        ({"source": "mnist", "folder": "data"}, None, "cannot watch .*data, .*data.folder"),
        ({"source": "photos"}, "groups.csv", "cannot watch .*data.source and folds.group"),
    ],
)
def test_data_that_could_change_unnoticed_are_refused(data, group, expected, monkeypatch):
    with pytest.raises(UserError, match=expected):
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
        ({}, None, "stages/data"),
        ({"source": "{here}/photos/all"}, None, "photos/all"),
        ({"source": "~/photos"}, None, "{home}/photos"),
        ({"source": "photos/all", "folder": "photos/train"}, "photos/groups.csv", "photos"),
        ({"source": "photos-2/labels.csv"}, None, "photos-2"),
        ({"source": "data/pixels.csv"}, None, "data/pixels.csv"),
        ({"source": "data/prepared"}, None, None),
        ({"source": "data", "watch": "data"}, None, None),  # where data/prepared is
        ({"source": "photos", "corrections": "photos-2/labels.csv"}, None, None),
    ],
)
def test_the_best_path_holds_all_files_and_nothing_that_is_written(
    here, tmp_path, monkeypatch, tmp_path_factory, data, group, expected
):
    home = tmp_path_factory.mktemp("home")
    (home / "photos").mkdir()
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "stages/data").mkdir(parents=True)
    (tmp_path / "photos-2/labels.csv").write_text("file,label\na.png,cat\n")
    pixels = ["label", *map(str, range(64))]
    (tmp_path / "data/pixels.csv").write_text(",".join(pixels) + "\n")
    data = {key: value.format(here=here) for key, value in data.items()}
    settings = chosen(data, group)
    if expected is None:
        with pytest.raises(UserError, match=r"cannot watch.*data\.source"):
            best(settings.data, group)
        return
    expected = expected.format(home=home)
    assert best(settings.data, group) == expected
    assert is_wrong(settings) == (expected != "stages/data")
    assert not is_wrong(chosen(data | {"watch": expected}, group))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"watch": "absent"}, True),
        ({"source": "photos", "watch": "."}, True),
        ({"source": "photos/all", "watch": "photos"}, False),
        ({"source": "absent", "watch": "absent"}, False),  # as before `dvc pull`
    ],
)
def test_a_path_that_dvc_can_watch_is_left_alone(data, expected):
    assert is_wrong(chosen(data)) == expected


def test_what_the_pipeline_writes_is_known():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    kinds = (stage.get(kind, []) for stage in stages for kind in ("outs", "metrics", "plots"))
    entries = itertools.chain.from_iterable(kinds)
    paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    assert all(any(Path(path).is_relative_to(top) for top in WRITTEN) for path in paths)


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
        ({"source": "data", "watch": "{top}/data"}, None, "cannot watch"),
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
