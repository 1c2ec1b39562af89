"""Which files of a folder are images of which class."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.data import listing
from tests import drawn

ONE_TREE = {"cat/1.png": b"", "cat/deep/er/0.JPG": b"", "dog/2.webp": b""}
PAIR = {f"{split}/{name}": b"" for split in ("train", "test") for name in ONE_TREE}


def files(top, content):
    return listing.files(drawn.tree(top, content))


def test_one_tree(tmp_path):
    found = files(tmp_path, ONE_TREE)
    assert found.classes == ("cat", "dog")
    assert found.folders == {("train", 0): "cat", ("train", 1): "dog"}
    assert found.rows == [
        ("train", 0, "cat/1.png"),
        ("train", 0, "cat/deep/er/0.JPG"),
        ("train", 1, "dog/2.webp"),
    ]
    assert found.left_out == {}


def test_training_and_test(tmp_path):
    found = files(tmp_path, PAIR)
    assert [row[0] for row in found.rows] == ["train"] * 3 + ["test"] * 3
    assert found.rows[3] == ("test", 0, "test/cat/1.png")
    assert found.folders["test", 1] == "test/dog"


def test_training_alone_and_a_class_that_is_not_tested(tmp_path):
    found = files(tmp_path / "a", {name: b"" for name in PAIR if name.startswith("train")})
    assert {split for split, *_ in found.rows} == {"train"}
    found = files(tmp_path / "b", {name: b"" for name in PAIR if name != "test/dog/2.webp"})
    assert ("test", 1) not in found.folders


def test_a_class_may_be_named_train(tmp_path):
    found = files(tmp_path, {"train/1.png": b"", "test/1.png": b"", "bus/1.png": b""})
    assert found.classes == ("bus", "test", "train")


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=50
).filter(lambda name: name[0] != ".")


@settings(deadline=None)  # a file system that others keep busy is slow
@given(
    st.lists(NAMES.filter(lambda name: name[0] != "." and len(name.encode()) < 200), unique=True)
)
def test_any_names_are_kept_as_they_are(tmp_path_factory, names):
    top = tmp_path_factory.mktemp("any")
    found = files(top, {"a/1.png": b"", "b/1.png": b""} | {f"a/{name}.png": b"" for name in names})
    listed = {file for *_, file in found.rows}
    assert listed == {"a/1.png", "b/1.png"} | {f"a/{name}.png" for name in names}
    assert found.left_out == {}


def test_the_order_does_not_come_from_the_file_system(tmp_path, monkeypatch):
    content = {f"{label}/{number}.png": b"" for label in "dbca" for number in (10, 9, 1)}
    first = files(tmp_path, content | {"a/x/1.png": b"", "a/0.heic": b"", "b/9.heic": b""})

    real = os.scandir

    class Reversed:
        def __init__(self, path):
            self.entries = sorted(real(path), key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *failure):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert listing.files(tmp_path) == first
    assert [file for *_, file in first.rows[:4]] == [
        "a/1.png", "a/10.png", "a/9.png", "a/x/1.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "Thumbs.db", "cat/notes.TXT", "dog/.hidden.png", "cat/.git/1.png", "._1.png",
     "__MACOSX/cat/1.png", "desktop.ini", ".a/b/1.png"],
)  # fmt: skip
def test_what_is_clearly_no_image_is_passed_over(tmp_path, name):
    found = files(tmp_path, {**ONE_TREE, name: b"x"})
    assert len(found.rows) == 3
    assert found.left_out == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat/1.heic", ".bmp, .gif"),
        ("cat/readme", "suffixes"),
        ("0.png", "lies in no class folder"),
    ],
)
def test_what_may_be_an_image_is_listed_when_left_out(tmp_path, name, expected):
    found = files(tmp_path, {**ONE_TREE, name: b"x"})
    assert len(found.rows) == 3
    assert list(found.left_out) == [name]
    assert expected in found.left_out[name]


def test_an_image_beside_the_classes_of_a_pair_is_listed(tmp_path):
    found = files(tmp_path, {**PAIR, "0.png": b"", "train/0.png": b"", "test/0.png": b""})
    assert found.left_out == dict.fromkeys(
        ["0.png", "train/0.png", "test/0.png"], "lies in no class folder"
    )


def test_links_may_not_lead_out(tmp_path):
    top = drawn.tree(tmp_path / "top", ONE_TREE)
    drawn.tree(tmp_path / "topmost", {"secret.png": b"", "cat/1.png": b""})
    links = {
        "cat/out.png": "../../topmost/secret.png",
        "cat/absolute.png": "/etc/hostname",
        "cat/in.png": "../dog/2.webp",
        "cat/nothing.png": "nowhere.png",
        "cat/loop.png": "loop.png",
        "cat/dogs": "../dog",
        "owl": "../topmost/cat",
    }
    for name, target in links.items():
        (top / name).symlink_to(target)
    found = listing.files(top)
    assert [file for *_, file in found.rows if file in links] == ["cat/in.png"]
    assert found.classes == ("cat", "dog")
    assert found.left_out == {
        "cat/out.png": "is a link out of the folder",
        "cat/absolute.png": "is a link out of the folder",
        "cat/nothing.png": "is a broken link",
        "cat/loop.png": "is a broken link",
        "cat/dogs": "is a link to a folder",
        "owl": "is a link out of the folder",
    }


def test_a_pipe_is_not_waited_for(tmp_path):
    drawn.tree(tmp_path, ONE_TREE)
    os.mkfifo(tmp_path / "cat/pipe.png")
    assert listing.files(tmp_path).left_out == {"cat/pipe.png": "is not a regular file"}


def test_names_that_are_no_utf_8(tmp_path):
    drawn.tree(tmp_path, ONE_TREE)
    (tmp_path / os.fsdecode(b"cat/\xff.png")).write_bytes(b"")
    found = listing.files(tmp_path)
    assert found.left_out == {"cat/\\xff.png": "has a name that is not UTF-8"}
    (tmp_path / os.fsdecode(b"\xff")).mkdir()
    with pytest.raises(ValueError, match=r"name b'\\xff' is not UTF-8"):
        listing.files(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"1.png": b""}, "no class folders"),
        ({"cat/1.png": b""}, "one class folder, 'cat'"),
        ({"train/cat/1.png": b""}, "one class folder, 'cat'"),
        ({**PAIR, "val/cat/1.png": b""}, "train/ and also 'val', which is neither train nor test"),
        ({"train/a/1.png": b"", "test/1.png": b""}, "test has no class folders"),
        ({f"{label}/1.png": b"" for label in range(1001)}, "1,001 class folders; at most 1,000"),
    ],
)
def test_refused_in_one_sentence(tmp_path, content, expected):
    with pytest.raises(ValueError, match=expected) as refusal:
        files(tmp_path, content)
    assert "\n" not in str(refusal.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path):
    drawn.tree(tmp_path, ONE_TREE)
    (tmp_path / "cat").chmod(0)
    with pytest.raises(PermissionError):
        listing.files(tmp_path)
