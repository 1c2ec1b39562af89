"""Which files of a folder are images of which class."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data import listing
from stages.errors import UserError
from tests import drawn

ONE_TREE = {"cat/1.png": b"", "cat/deep/er/0.JPG": b"", "dog/2.webp": b""}
PAIR = {f"{split}/{name}": b"" for split in ("train", "test") for name in ONE_TREE}


def files(top, content):
    return listing.files(drawn.tree(top, content))


def test_a_folder_of_classes(tmp_path):
    found = files(tmp_path, ONE_TREE)
    rows = [("train", int(name.startswith("dog")), name) for name in ONE_TREE]
    assert found == (("cat", "dog"), {("train", 0): "cat", ("train", 1): "dog"}, rows, {})
    named = files(tmp_path / "named", {"train/1.png": b"", "test/1.png": b"", "bus/1.png": b""})
    assert named.classes == ("bus", "test", "train")


@pytest.mark.parametrize("without", ["none", "test/", "test/dog"])
def test_training_and_test_where_a_class_may_be_missing(tmp_path, without):
    found = files(tmp_path, {name: b"" for name in PAIR if not name.startswith(without)})
    kept = [name for name in PAIR if not name.startswith(without)]
    assert [(split, file) for split, _, file in found.rows] == [(f.split("/")[0], f) for f in kept]
    assert found.folders.get(("test", 1)) == ("test/dog" if without == "none" else None)


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=50
).filter(lambda name: name[0] != "." and len(name.encode()) < 200)


@given(st.lists(NAMES, unique=True))
def test_any_names_are_kept_as_they_are(tmp_path_factory, names):
    expected = {"a/1.png", "b/1.png"} | {f"a/{name}.png" for name in names}
    found = files(tmp_path_factory.mktemp("any"), dict.fromkeys(expected, b""))
    assert {file for *_, file in found.rows} == expected
    assert found.left_out == {}


def test_the_order_does_not_come_from_the_file_system(tmp_path, monkeypatch):
    content = {f"{label}/{number}.png": b"" for label in "dbca" for number in (10, 9, 1)}
    first = files(tmp_path, content | {"a/x/1.png": b"", "a/0.heic": b"", "b/9.heic": b""})
    walk = os.walk

    def reverse(*given, **options):
        for here, folders, names in walk(*given, **options):
            folders.sort(reverse=True)
            yield here, folders, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", reverse)
    assert listing.files(tmp_path) == first


@pytest.mark.parametrize(
    "name",
    ["Thumbs.db", "cat/notes.TXT", "dog/.hidden.png", "cat/.git/1.png", "__MACOSX/cat/1.png"],
)
def test_files_that_are_clearly_no_images_are_ignored(tmp_path, name):
    found = files(tmp_path, {**ONE_TREE, name: b"x"})
    assert len(found.rows) == 3
    assert found.left_out == {}


@pytest.mark.parametrize(
    ("tree", "name", "expected"),
    [
        (ONE_TREE, "cat/1.heic", ".bmp, .gif"),
        (ONE_TREE, "0.png", "lies in no class folder"),
        (PAIR, "test/0.png", "lies in no class folder"),
        (ONE_TREE, os.fsdecode(b"cat/\xff.png"), "not UTF-8"),
    ],
)  # fmt: skip
def test_possible_images_that_are_left_out_are_listed(tmp_path, tree, name, expected):
    found = files(tmp_path, {**tree, name: b"x"})
    assert len(found.rows) == len(tree)
    assert list(found.left_out) == [name.replace("\udcff", "\\xff")]
    assert expected in next(iter(found.left_out.values()))


NO_FILE = "is neither a regular file nor a link to one"


def test_links_may_not_lead_out(tmp_path):
    top = drawn.tree(tmp_path / "top", ONE_TREE)
    drawn.tree(tmp_path / "topmost", {"secret.png": b"", "cat/1.png": b""})
    links = {
        "cat/out.png": ("../../topmost/secret.png", "is a link out of the folder"),
        "cat/absolute.png": ("/etc/hostname", "is a link out of the folder"),
        "cat/in.png": ("../dog/2.webp", None),
        "cat/nothing.png": ("nowhere.png", NO_FILE),
        "cat/loop.png": ("loop.png", NO_FILE),
        "cat/dogs": ("../dog", NO_FILE),
        "owl": ("../topmost/cat", "is a link out of the folder"),
    }
    for name, (target, _) in links.items():
        (top / name).symlink_to(target)
    os.mkfifo(top / "cat/pipe.png")  # must not be waited for
    (tmp_path / "link").symlink_to(top)
    found = listing.files(tmp_path / "link")
    assert [file for *_, file in found.rows if file in links] == ["cat/in.png"]
    assert found.classes == ("cat", "dog")
    reasons = {name: reason for name, (_, reason) in links.items() if reason}
    assert found.left_out == reasons | {"cat/pipe.png": NO_FILE}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"1.png": b""}, "0 class folders"),
        ({"train/cat/1.png": b""}, "1 class folders"),
        ({**PAIR, "val/cat/1.png": b""}, "'val'"),
        ({"train/a/1.png": b"", "test/1.png": b""}, "test has no class folders"),
        ({f"{label}/1.png": b"" for label in range(1001)}, "1,001 class folders"),
        ({**ONE_TREE, os.fsdecode(b"\xff/1.png"): b""}, r"b'\\xff' is not UTF-8"),
    ],
)
def test_refused_in_one_sentence(tmp_path, content, expected):
    with pytest.raises(UserError, match=expected) as refusal:
        files(tmp_path, content)
    assert "\n" not in str(refusal.value)


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    drawn.tree(tmp_path, ONE_TREE)
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "cat":
            raise PermissionError
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        listing.files(tmp_path)
