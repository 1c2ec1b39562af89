"""Groups: the CSV file, how groups are joined and assigned, and folds and test sets of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import data
from stages.data import folds, groups
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data, Folds
from tests import drawn

CLASSES = ("cat", "dog")


def source(files=("a/1.png", "a/2.png", "b/1.png"), tests=0, named=True, **more) -> Source:
    """Return a source with these files, the last `tests` of which are test images."""
    images, labels = np.zeros((len(files), 2, 2, 1), np.uint8), np.zeros(len(files), np.int64)
    count = len(files) - tests
    train, test = (
        Split(images[part], labels[part], tuple(files[part]) if named else None)
        for part in (slice(count), slice(count, None))
    )
    return Source("photos", "none", CLASSES, train, test if tests else None, **more)


def write(*lines) -> str:
    Path("groups.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "groups.csv"


def test_groups_are_read_in_the_order_of_the_images():
    given = write(
        "group,day,file", "Ann,1,b/1.png", "Übel,2,a/1.png", "Ann,,a/2.png", "x,3,b/bad.png"
    )
    of_train, of_test = groups.read(given, source(unreadable={"b/bad.png": "is empty"}))
    assert of_train[1] == of_train[2] != of_train[0]
    assert len(of_test) == 0


def test_names_with_commas_quotes_and_newlines_and_a_byte_order_mark():
    files = ('a/x,"y".png', "a/new\nline.png", "b/ü ö.png")
    lines = '\ufefffile,group\n"a/x,""y"".png",1\n"a/new\nline.png",1\nb/ü ö.png,2\n\n'
    of_train, _ = groups.read(write(lines), source(files))
    assert of_train.tolist() == [0, 0, 1]


def test_rows_count_training_images_then_test_images():
    given = write("row,group", *(f"{row},{row % 3}" for row in range(3)), "3,t", "4,t")
    of_train, of_test = groups.read(given, source("abcde", 2, named=False))
    assert of_train.tolist() == [0, 1, 2]
    assert of_test[0] == of_test[1]


def test_blanks_and_unicode_forms_do_not_make_groups():
    files = ("a/é.png", "a/e\N{COMBINING ACUTE ACCENT}2.png", "b/3.png")
    lines = ["a/e\N{COMBINING ACUTE ACCENT}.png,Zoë", "a/é2.png, Zoe\N{COMBINING DIAERESIS}"]
    of_train, _ = groups.read(write("file,group", *lines, "b/3.png,Zoë "), source(files))
    assert of_train.tolist() == [0, 0, 0]


ALL = ["file,group", "a/1.png,Ann", "a/2.png,Bob", "b/1.png,Bob"]


@pytest.mark.parametrize(
    ("lines", "tests", "expected"),
    [
        (["file,who", "a/1.png,1"], 0, "'file,who'"),
        ([""], 0, "''"),
        (ALL[:3], 0, "'b/1.png'"),
        ([*ALL, "c/1.png,1"], 0, "'c/1.png'"),
        ([*ALL, "a/1.png,1"], 0, "line 5: 'a/1.png'"),
        (["file,group", "a/1.png,"], 0, "line 2: 'a/1.png'"),
        (["file,group", "a/1.png,1,2"], 0, "line 2: 'a/1.png'"),
        (["file,x", "a/1.png,1"], 0, "'group'"),
        (ALL, 1, "'Bob' .*training and test"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(lines, tests, expected):
    with pytest.raises(UserError, match=rf"^folds\.group: .*{expected}"):
        groups.read(write(*lines), source(tests=tests))
    with pytest.raises(UserError, match=r"folds\.group: none\.csv"):
        groups.read("none.csv", source())


@given(
    st.sampled_from([b"", b"file,group\n", b"\xef\xbb\xbfgroup,file\r\n", b'file,group\n"a/1.png']),
    st.binary(max_size=60) | st.text('a/12.png,"\n\r\0', max_size=60).map(str.encode),
)
def test_any_bytes_are_groups_or_refused_in_one_sentence(head, rest):
    Path("groups.csv").write_bytes(head + rest)
    with pytest.raises(ValueError, match=r"\Afolds\.group: [^\n]*\Z") as refused:
        groups.read("groups.csv", source())
    assert type(refused.value) is UserError  # not one of a library's own kinds


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_joined_groups_are_what_one_can_walk_to(pairs):
    group_of, equal = (np.unique(column, return_inverse=True)[1] for column in np.array(pairs).T)
    joined = groups.joined(group_of, equal)
    reached = np.equal.outer(group_of, group_of) | np.equal.outer(equal, equal)
    for _ in pairs:
        reached = reached | (reached @ reached)
    assert (np.equal.outer(joined, joined) == reached).all()
    assert set(joined.tolist()) == set(range(joined.max() + 1))


def test_groups_of_equal_size_are_spread_evenly_and_repeats_differ():
    labels, group_of = np.arange(600) % 2, np.arange(600) // 6
    parts = folds.stratified_folds(labels, CLASSES, Folds(repeats=3), group_of)
    for repeat in parts:
        for label in range(2):
            assert np.bincount(repeat[labels == label]).tolist() == [60] * 5
    assert len({repeat.tobytes() for repeat in parts}) == 3
    assert (parts[:1] == folds.stratified_folds(labels, CLASSES, Folds(), group_of)).all()


def test_groups_that_put_a_class_into_one_fold_are_refused():
    sizes = np.array([[76, 26, 0], [25, 2, 5], [0, 1, 0], [25, 25, 0], [0, 0, 116]])
    labels = np.concatenate([np.repeat([0, 1, 2], of_group) for of_group in sizes])
    group_of = np.repeat(np.arange(5), sizes.sum(axis=1))
    with pytest.raises(UserError, match=r"folds\.group.* put all of class"):
        folds.stratified_folds(labels, "abc", Folds(count=2), group_of)


def test_a_hold_out_of_groups_has_its_share_of_each_class():
    random = np.random.default_rng(0)
    group_of = np.unique(random.integers(0, 150, 2000), return_inverse=True)[1]
    labels = random.integers(0, 2, 150)[group_of]
    in_test = folds.hold_out(labels, CLASSES, Data(test_fraction=0.37), group_of)
    assert not set(group_of[in_test]) & set(group_of[~in_test])
    for label in range(2):
        assert in_test[labels == label].mean() == pytest.approx(0.37, abs=0.03)


def test_too_few_groups_of_a_class_are_refused_by_name():
    rows = np.arange(40)
    one = np.where(rows % 2, 0, rows // 2 + 1)  # all dogs in one group
    with pytest.raises(UserError, match=r"folds\.count is 5.*'dog' .*1 group"):
        folds.stratified_folds(rows % 2, CLASSES, Folds(), one)
    with pytest.raises(UserError, match=r"'dog' .*1 group"):
        folds.hold_out(rows % 2, CLASSES, Data(), one)


def test_the_file_is_checked_before_images_are_decoded():
    files = drawn.tree(Path("pets"), drawn.classes("cat", "dog", each=1) | {"cat/bad.png": b"x"})
    settings = Data(source="pets")
    found = data.listed(settings)
    whole = ["file,group", "cat/0.png,1", "dog/0.png,2"]
    groups.check(write(*whole), found, files)
    for lines, expected in ((whole[:2], "dog/0.png"), ([*whole, "owl/1.png,3"], "owl/1.png")):
        with pytest.raises(UserError, match=expected):
            groups.check(write(*lines), found, files)
    with pytest.raises(UserError, match="'row'"):
        groups.check(write(*whole), None, None)
    groups.check(write(*whole), None, None, "file")
