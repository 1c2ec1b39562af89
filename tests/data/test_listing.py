"""Which files of a folder are images of which class."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data import listing
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn
from tests.refusals import refused

ONE_TREE = {"cat/1.png": b"", "cat/deep/er/0.JPG": b"", "dog/2.webp": b""}
PAIR = {f"{split}/{name}": b"" for split in ("train", "test") for name in ONE_TREE}


def files(top, content):
    return listing.files(drawn.tree(top, content), Data())


def test_a_folder_of_classes(tmp_path):
    found = files(tmp_path, ONE_TREE)
    rows = [("train", int(name.startswith("dog")), name) for name in ONE_TREE]
    assert found == (("cat", "dog"), ("cat", "dog"), rows, {}, ())


@pytest.mark.parametrize("without", ["none", "test/", "test/dog"])
def test_training_and_test_where_a_class_may_be_missing(tmp_path, without):
    found = files(tmp_path, {name: b"" for name in PAIR if not name.startswith(without)})
    kept = [name for name in PAIR if not name.startswith(without)]
    assert [(split, file) for split, _, file in found.rows] == [(f.split("/")[0], f) for f in kept]
    assert ("test/dog" in found.folders) == (without == "none")


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
    first = files(tmp_path, content | {"a/x/1.png": b"", "a/0.svg": b"", "b/9.svg": b""})
    walk = os.walk

    def reverse(*given, **options):
        for here, folders, names in walk(*given, **options):
            folders.sort(reverse=True)
            yield here, folders, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", reverse)
    assert listing.files(tmp_path, Data()) == first


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
        (ONE_TREE, "cat/1.svg", "of the type .svg"),
        (ONE_TREE, "0.png", "in no class folder"),
        (PAIR, "test/0.png", "in no class folder"),
        (ONE_TREE, os.fsdecode(b"cat/\xff.png"), "not UTF-8"),
    ],
)  # fmt: skip
def test_possible_images_that_are_left_out_are_listed(tmp_path, tree, name, expected):
    found = files(tmp_path, {**tree, name: b"x"})
    assert len(found.rows) == len(tree)
    assert list(found.left_out) == [name.replace("\udcff", "\\xff")]
    assert expected in next(iter(found.left_out.values()))


NO_FILE = "is neither a regular file nor a link to one"


def test_what_is_no_file_is_left_out(tmp_path):
    top = drawn.tree(tmp_path / "top", ONE_TREE)
    for name, target in {"in": "../dog/2.webp", "nothing": "nowhere", "loop": "loop.png"}.items():
        (top / f"cat/{name}.png").symlink_to(target)
    os.mkfifo(top / "cat/pipe.png")  # must not be waited for
    (tmp_path / "link").symlink_to(top)
    found = listing.files(tmp_path / "link", Data())
    assert [file for *_, file in found.rows if "in.png" in file] == ["cat/in.png"]
    assert found.classes == ("cat", "dog")
    assert found.left_out == dict.fromkeys(
        ("cat/nothing.png", "cat/loop.png", "cat/pipe.png"), NO_FILE
    )


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cat/out.png", "../../topmost/secret.png"),
        ("cat/absolute.png", "/etc/hostname"),
        ("cat/dogs", "../dog"),
        ("dogs/1", "../dog"),
        ("owl", "../topmost/cat"),
        ("train", "../topmost"),
    ],
)
def test_links_that_lead_out_or_to_folders_are_refused_or_followed(tmp_path, link, target):
    top = drawn.tree(tmp_path / "top", {} if link == "train" else ONE_TREE)
    drawn.tree(tmp_path / "topmost", {"secret.png": b"", "cat/1.png": b"", "dog/1.png": b""})
    (top / link).parent.mkdir(parents=True, exist_ok=True)
    (top / link).symlink_to(target)
    with pytest.raises(UserError, match=rf"'{link}', a link .*data\.follow_links"):
        listing.files(top, Data())
    found = listing.files(top, Data(follow_links=True))
    assert any(file.startswith(link) for *_, file in found.rows)


def test_a_broken_link_that_may_have_been_a_class_is_refused(tmp_path):
    top = drawn.tree(tmp_path / "top", ONE_TREE)
    (top / "owl").symlink_to("../nowhere")
    with pytest.raises(UserError, match="'owl'"):
        listing.files(top, Data())


@pytest.mark.parametrize("links", [{"cat/in": ".."}, {"cat/in": "../dog", "dog/in": "../cat"}])
def test_a_link_to_a_folder_that_contains_it_is_refused(tmp_path, links):
    top = drawn.tree(tmp_path / "top", ONE_TREE)
    for link, target in links.items():
        (top / link).symlink_to(target)
    with pytest.raises(UserError, match="/in'"):
        listing.files(top, Data(follow_links=True))


def test_links_into_a_cache_of_dvc_are_files_like_any_other(tmp_path):
    top = drawn.tree(tmp_path / "top", ONE_TREE)
    cached = tmp_path / f"cache/files/md5/ab/{'0' * 30}"
    cached.parent.mkdir(parents=True)
    cached.touch()
    (top / "cat/tracked.png").symlink_to(cached)
    assert "cat/tracked.png" in [file for *_, file in listing.files(top, Data()).rows]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"1.png": b""}, "no class folders.*data.label_pattern"),
        ({"train/cat/1.png": b""}, "only the class 'cat'"),
        ({"train/a/1.png": b"", "test/1.png": b""}, "test has no class folders"),
        ({f"{label}/1.png": b"" for label in range(1001)}, "1,001 class folders"),
        ({**ONE_TREE, os.fsdecode(b"\xff/1.png"): b""}, r"b'\\xff' is not UTF-8"),
    ],
)
def test_refused_in_one_sentence(tmp_path, content, expected):
    with refused(expected):
        files(tmp_path, content)


def test_class_names_are_compared_in_one_unicode_form(tmp_path):
    split = {"train/Gr\u00fcn/1.png": b"", "train/Rot/1.png": b"", "test/Gru\u0308n/2.png": b""}
    assert files(tmp_path / "one", split).classes == ("Gr\u00fcn", "Rot")
    found = files(tmp_path / "two", {"Cat/1.png": b"", "cat/1.png": b"", "dog/1.png": b""})
    assert found.classes == ("Cat", "cat", "dog")
    assert ["'Cat'" in note and "'cat'" in note for note in found.notes] == [True]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["cat.1.jpg", "dog.2.jpg"], r"^(cat|dog)\."),
        (["test/n1_cat.png", "train/n2_cat.png", "train/a/n2_dog.png"], r"_(?P<label>[a-z]+)"),
    ],
)
def test_the_class_is_in_the_file_name(tmp_path, names, pattern):
    top = drawn.tree(tmp_path, dict.fromkeys(names, b""))
    found = listing.files(top, Data(label_pattern=pattern))
    assert found.classes == ("cat", "dog")
    assert all(found.classes[label] in file for _, label, file in found.rows)
    assert {split for split, *_ in found.rows} == (
        {"train", "test"} if "/" in names[0] else {"train"}
    )
    drawn.tree(top, {"train/odd.png" if "/" in names[0] else "odd.png": b""})
    with pytest.raises(UserError, match=r"data\.label_pattern .*odd\.png"):
        listing.files(top, Data(label_pattern=pattern))


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    drawn.tree(tmp_path, ONE_TREE)
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "cat":
            raise PermissionError
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        listing.files(tmp_path, Data())
