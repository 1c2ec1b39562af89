"""Groups: the CSV file, what belongs together, and how even the parts are."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.data import groups
from stages.data.source import Source
from stages.errors import UserError

CLASSES = ("cat", "dog")
# the group and the label of each image
IMAGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1)), min_size=4, max_size=80)


def source(files=("a/1.png", "a/2.png", "b/1.png"), test_files=None, **more) -> Source:
    images = np.zeros((len(files), 2, 2, 1), np.uint8)
    labels = np.zeros(len(files), np.int64)
    tested = {}
    if test_files is not None:
        tested = {
            "test_files": test_files,
            "test_images": images[: len(test_files)],
            "test_labels": labels[: len(test_files)],
        }
    given = {"train_files": files} | tested | more
    return Source("photos", "none", CLASSES, images, labels, **given)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def write(*lines) -> str:
    Path("groups.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "groups.csv"


def test_groups_are_read_in_the_order_of_the_images():
    given = write("group,file", "Ann,b/1.png", "Übel,a/1.png", "Ann,a/2.png")
    of_train, of_test = groups.read(given, source())
    assert of_train[1] == of_train[2] != of_train[0]
    assert len(of_test) == 0


def test_names_with_commas_quotes_and_newlines_and_a_byte_order_mark():
    files = ('a/x,"y".png', "a/new\nline.png", "b/ü ö.png")
    lines = '\ufefffile,group\n"a/x,""y"".png",1\n"a/new\nline.png",1\nb/ü ö.png,2\n\n'
    Path("groups.csv").write_text(lines, encoding="utf-8")
    of_train, _ = groups.read("groups.csv", source(files))
    assert of_train.tolist() == [0, 0, 1]


def test_rows_count_training_images_then_test_images():
    given = write("row,group", *(f"{row},{row % 3}" for row in range(3)), "3,t", "4,t")
    tested = source(train_files=None, test_files=("x", "y"))
    of_train, of_test = groups.read(given, tested)
    assert of_train.tolist() == [0, 1, 2]
    assert of_test[0] == of_test[1]


def test_a_file_that_was_left_out_may_have_a_group():
    given = write("file,group", "a/1.png,1", "a/2.png,1", "b/1.png,2", "b/bad.png,2")
    groups.read(given, source(unreadable={"b/bad.png": "is empty"}))


@pytest.mark.parametrize(
    ("lines", "tested", "expected"),
    [
        (["file,who", "a/1.png,1"], None, "has the columns 'file,who'; they must be 'file"),
        (["row,group", "0,1"], None, "they must be 'file,group' for this source"),
        ([""], None, "has the columns ''"),
        (["file,group", "a/1.png,1", "b/1.png,2"], None, "has no line for the file 'a/2.png'"),
        (["file,group", "c/1.png,1"], None, "names the file 'c/1.png', which photos does not"),
        (["file,group", "a/1.png,1", "a/1.png,1"], None, "line 3: 'a/1.png' occurs twice"),
        (["file,group", "a/1.png,"], None, "line 2: 'a/1.png' needs two"),
        (["file,group", "a/1.png"], None, "line 2: 'a/1.png' needs two"),
        (["file,group", "a/1.png,1,2"], None, "line 2: 'a/1.png' needs two"),
        (
            ["file,group", "a/1.png,Ann", "a/2.png,Bob", "b/1.png,Bob", "t.png,Bob"],
            ("t.png",),
            "the group 'Bob' has images in photos's training and test set",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(lines, tested, expected):
    with pytest.raises(ValueError, match=r"^folds\.group: ") as refused:
        groups.read(write(*lines), source(test_files=tested))
    assert expected in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_refused():
    with pytest.raises(ValueError, match=r"folds\.group: none\.csv"):
        groups.read("none.csv", source())
    Path("groups.csv").write_bytes(b"file,group\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match=r"folds\.group: groups\.csv is not a CSV file in UTF-8"):
        groups.read("groups.csv", source())


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"file,group\n", b"\xef\xbb\xbfgroup,file\r\n", b'file,group\n"a/1.png'])
    | st.binary(max_size=12),
    st.binary(max_size=60) | st.text('a/12.png,"\n\r\0', max_size=60).map(str.encode),
)
def test_any_bytes_are_groups_or_refused_in_one_sentence(head, rest):
    Path("groups.csv").write_bytes(head + rest)
    with pytest.raises(ValueError, match=r"\Afolds\.group: [^\n]*\Z") as refused:
        groups.read("groups.csv", source())
    assert type(refused.value) is UserError  # not one of a library's own kinds


def test_the_path_is_the_repository_s_also_in_a_temporary_experiment(tmp_path, monkeypatch):
    given = write("file,group", "a/1.png,1", "a/2.png,1", "b/1.png,2")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert groups.read(given, source())[0].tolist() == [0, 0, 1]


@settings(deadline=None)  # the first call imports SciPy
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_joined_groups_are_what_one_can_walk_to(pairs):
    of, equal = (np.unique(column, return_inverse=True)[1] for column in np.array(pairs).T)
    joined = groups.joined(of, equal)
    reached = np.equal.outer(of, of) | np.equal.outer(equal, equal)
    for _ in pairs:
        reached = reached | (reached @ reached)
    assert (np.equal.outer(joined, joined) == reached).all()
    assert set(joined.tolist()) == set(range(joined.max() + 1))


@given(IMAGES, st.integers(2, 6), st.integers(0, 9))
def test_groups_stay_whole_and_the_same_seed_gives_the_same(images, count, seed):
    of, labels = (np.array(column) for column in zip(*images, strict=True))
    of = np.unique(of, return_inverse=True)[1]
    parts = groups.assign(labels, of, [1 / count] * count, np.random.RandomState(seed))
    for group in range(of.max() + 1):
        assert len(set(parts[of == group].tolist())) == 1
    assert (
        parts == groups.assign(labels, of, [1 / count] * count, np.random.RandomState(seed))
    ).all()


def unevenness(labels, parts, count) -> float:
    sizes = np.bincount(labels)
    parts = [np.bincount(labels[parts == part], minlength=len(sizes)) for part in range(count)]
    return sum(float(((of - sizes / count) ** 2 / sizes).sum()) for of in parts)


def test_parts_are_as_even_as_scikit_learn_s():
    from sklearn.model_selection import StratifiedGroupKFold

    ratios = []
    for seed in range(9):
        random = np.random.default_rng(seed)
        count = int(random.integers(3, 7))
        of = np.unique(np.floor(60 * random.random(800) ** 2), return_inverse=True)[1]
        usual = random.integers(0, 4, of.max() + 1)
        labels = np.where(random.random(800) < 0.5, usual[of], random.integers(0, 4, 800))
        ours = groups.assign(labels, of, [1 / count] * count, np.random.RandomState(seed))
        theirs = np.empty_like(ours)
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        for part, (_, rows) in enumerate(splitter.split(labels, labels, of)):
            theirs[rows] = part
        ratios.append(unevenness(labels, ours, count) / unevenness(labels, theirs, count))
    assert np.median(ratios) < 1.1


def test_groups_of_equal_size_are_spread_evenly_and_repeats_differ():
    labels, of = np.arange(600) % 2, np.arange(600) // 6
    parts = groups.folds(labels, of, CLASSES, 5, 3, seed=1)
    assert (parts.dtype, parts.shape) == (np.int16, (3, 600))
    for repeat in parts:
        for label in range(2):
            assert np.bincount(repeat[labels == label]).tolist() == [60] * 5
    assert len({repeat.tobytes() for repeat in parts}) == 3
    assert (parts[:1] == groups.folds(labels, of, CLASSES, 5, 1, seed=1)).all()


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.37])
def test_a_hold_out_of_groups_has_its_share_of_each_class(fraction):
    random = np.random.default_rng(0)
    of = np.unique(random.integers(0, 150, 2000), return_inverse=True)[1]
    labels = random.integers(0, 2, 150)[of]
    train, test = groups.hold_out(labels, of, CLASSES, fraction, 1)
    assert sorted([*train, *test]) == list(range(2000))
    assert not set(of[train]) & set(of[test])
    for label in range(2):
        share = (labels[test] == label).sum() / (labels == label).sum()
        assert share == pytest.approx(fraction, abs=0.03)


def test_fewer_groups_than_folds_are_refused_by_name():
    labels, of = np.arange(40) % 2, np.arange(40) // 2 % 3
    with pytest.raises(ValueError, match=r"folds\.count is 5, but class 'cat' .* only 3 groups .*"):
        groups.folds(labels, of, CLASSES, 5, 1, 1)
    with pytest.raises(ValueError, match="use at most 3 folds"):
        groups.folds(labels, of, CLASSES, 5, 1, 1)
    assert groups.folds(labels, of, CLASSES, 3, 1, 1).max() == 2


def test_one_group_for_all_of_a_class_is_refused():
    labels, of = np.arange(40) % 2, np.where(np.arange(40) % 2, 0, np.arange(40) + 1)
    of = np.unique(of, return_inverse=True)[1]
    with pytest.raises(ValueError, match="class 'dog' has images of only 1 groups"):
        groups.hold_out(labels, of, CLASSES, 0.2, 1)
    with pytest.raises(ValueError, match="class 'dog' has training images of only 1 groups"):
        groups.folds(labels, of, CLASSES, 2, 1, 1)
