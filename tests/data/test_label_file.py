"""A folder of images with a CSV file of labels."""

import pytest

from stages import data
from stages.data import label_file
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn
from tests.refusals import refused

FILES = [f"img/{name}.png" for name in "abcdef"]
LABELS = ["cat", "dog", "cat", "dog", "10", "9"]
PICTURES = {name: drawn.pixels(seed) for seed, name in enumerate(FILES)}


def lines(header="file,label", form="img/{}.png", delimiter=","):
    rows = [f"{form.format(name)},{label}" for name, label in zip("abcdef", LABELS, strict=True)]
    return "\n".join([header, *rows]).replace(",", delimiter).encode()


def load(top, table, name="labels.csv", source=None, **settings):
    drawn.tree(top, PICTURES | {name: table})
    return data.load(Data(source=str(top / (name if source is None else source)), **settings))


@pytest.mark.parametrize(
    ("table", "settings"),
    [
        (lines(), {}),
        (lines(form="{}.png"), {}),
        (lines("ID,Class", "{}"), {}),
        (lines("image_id;target", delimiter=";"), {}),
        (lines("\ufefffilename\tcategory", "./img/{}", "\t"), {}),
        (lines("id,breed"), {"label_column": "breed"}),
        (lines("picture,label"), {"file_column": "picture"}),
        (lines("picture,label"), {}),
        (lines() + b"\n\n", {}),
    ],
)
def test_files_are_found_as_the_table_names_them(tmp_path, table, settings):
    source = load(tmp_path, table, **settings)
    assert source.classes == ("9", "10", "cat", "dog")
    labels = dict(zip(source.train.files, source.train.labels.tolist(), strict=True))
    assert {file: source.classes[labels[file]] for file in FILES} == dict(
        zip(FILES, LABELS, strict=True)
    )
    for file, image in zip(source.train.files, source.train.images, strict=True):
        assert (image == PICTURES[file]).all()
    assert source.test is None


def test_the_folder_may_be_named_if_one_table_is_there(tmp_path):
    source = load(tmp_path, lines(), source=".", format="labels")
    assert len(source.train.files) == 6
    with pytest.raises(UserError, match=r"labels or folder; .*data\.format"):
        data.load(Data(source=str(tmp_path)))
    drawn.tree(tmp_path, {"more.csv": lines()})
    with pytest.raises(UserError, match=r"labels\.csv, more\.csv"):
        data.load(Data(source=str(tmp_path), format="labels"))


@pytest.mark.parametrize("source", ["labels.csv", "."])
def test_an_unknown_column_of_files_must_be_set(tmp_path, source):
    """The table is not mistaken for one of pixels, because its cells are not numbers."""
    drawn.tree(tmp_path, {f"{name}.png": drawn.pixels(seed) for seed, name in enumerate("abcdef")})
    (tmp_path / "labels.csv").write_bytes(lines("picture,label", "{}"))
    where = str(tmp_path / source)
    for given in ({}, {"file_column": "photo"}):
        with pytest.raises(UserError, match=r"'picture', 'label'.*data\.file_column"):
            data.load(Data(source=where, **given))
    assert len(data.load(Data(source=where, file_column="picture")).train.files) == 6


def test_numbers_are_not_taken_for_files_if_another_column_names_these(tmp_path):
    drawn.tree(tmp_path, {f"img/{number}.png": drawn.pixels(number) for number in range(12)})
    order = sorted(range(12), key=str)  # as a table of sorted names
    rows = [f"{row},img/{number}.png,{'cat' if number < 6 else 'dog'}" for row, number in
            enumerate(order)]  # fmt: skip
    (tmp_path / "labels.csv").write_text("\n".join(["id,scan,label", *rows]))
    train = data.load(Data(source=str(tmp_path / "labels.csv"))).train
    assert {*train.files[:6]} == {f"img/{number}.png" for number in range(6)}
    rows = [row.replace(",img", ",m.png,img", 1) for row in rows]
    (tmp_path / "labels.csv").write_text("\n".join(["id,mask,scan,label", *rows]))
    with refused(r"data\.file_column"):
        data.load(Data(source=str(tmp_path / "labels.csv")))


def test_an_absolute_path_is_called_one(tmp_path):
    with refused("absolute path"):
        load(tmp_path, lines() + f"\n{tmp_path}/img/a.png,dog".encode())


@pytest.mark.parametrize("table", [lines(), None])
def test_a_split_that_cannot_be_read_is_refused(tmp_path, table):
    """Otherwise a test set would be held out instead."""
    pictures = dict.fromkeys(PICTURES, b"version https://git-lfs") if table else PICTURES
    drawn.tree(tmp_path, {"train/labels.csv": table or b""})
    settings = {}
    if table is None:
        pictures = {f"train/{'cat' if 'a' in name else 'dog'}-{name[-5:]}": picture
                    for name, picture in PICTURES.items()}  # fmt: skip
        pictures |= {"test/cat-1.png": b"no image", "test/dog-2.png": b"no image"}
        settings = {"label_pattern": "(cat|dog)", "format": "folder"}
    drawn.tree(tmp_path / ("train" if table else ""), pictures)
    source = tmp_path / ("train/labels.csv" if table else "")
    with refused(f"no readable {'training' if table else 'test'} image"):
        data.load(Data(source=str(source), **settings))


def test_images_without_a_line_are_counted(tmp_path):
    source = load(tmp_path, lines().rsplit(b"\n", 1)[0])
    assert len(source.train.files) == 5
    assert ["not used: 1" in note for note in source.notes] == [True]


def test_dvc_hashes_what_is_read(tmp_path):
    load(tmp_path, lines())
    settings = Data(source=str(tmp_path / "labels.csv"))
    found = data.files_of(tmp_path / "labels.csv", settings)
    assert {path.name for path in found} == {"labels.csv", *(f"{name}.png" for name in "abcdef")}
    assert [file for *_, file in data.listed(settings).rows] == [
        "img/f.png", "img/e.png", "img/a.png", "img/c.png", "img/b.png", "img/d.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (lines() + b"\nimg/a.png,dog", r"line 8.*'img/a\.png' again"),
        (lines() + b"\nimg/g.png,dog", r"line 8.*'img/g\.png'"),
        (lines() + b"\n../secret.png,dog", r"line 8.*'\.\./secret\.png'"),
        (lines() + b"\n/etc/hostname,dog", "line 8.*'/etc/hostname'"),
        (lines() + b"\nimg/a.png,", "line 8.*no label"),
        (lines() + b"\nimg/a.png", "line 8.*no label"),
        (lines() + b"\n,dog", "line 8.*no file"),
        (lines("file,breed"), r"'file', 'breed'.*data\.label_column"),
        (b"file,label\nimg/b.png,dog,7\n", "more cells"),
        (b"file,label\n", "no line"),
        (b"file,label\n\xff,1", "UTF-8"),
        (b'file,label\n"a.png,1\n', "CSV"),
    ],
)
def test_refused_with_the_line(tmp_path, table, expected):
    (tmp_path / "top").mkdir()
    drawn.tree(tmp_path, {"secret.png": drawn.pixels()})
    with refused(expected):
        load(tmp_path / "top", table, format="labels")


def test_a_name_that_fits_two_files_is_refused(tmp_path):
    drawn.tree(tmp_path, {"other/a.png": drawn.pixels(9)})
    with pytest.raises(UserError, match=r"img/a\.png or other/a\.png|other/a\.png or img/a\.png"):
        load(tmp_path, lines(form="{}"))


def test_a_path_is_not_taken_for_the_name_of_another_file(tmp_path):
    drawn.tree(tmp_path, {"a.png": drawn.pixels(8), "a.png.jpg": drawn.encoded(drawn.pixels(9))})
    table = lines() + b"\na.png,cow\na.png.jpg,cow"
    source = load(tmp_path, table)
    assert {"a.png", "img/a.png", "a.png.jpg"} < {*source.train.files}
    assert not source.notes
    with pytest.raises(UserError, match="which may be"):
        load(tmp_path, lines() + b"\na,cow")


def test_a_table_of_pixels_is_not_one_of_files(tmp_path):
    table = drawn.table([drawn.pixels(height=8, width=8)], ["1"]).encode()
    drawn.tree(tmp_path, {"pixels.csv": table, "labels.csv": lines()})
    assert not label_file.recognises(tmp_path / "pixels.csv", Data())
    assert label_file.recognises(tmp_path / "labels.csv", Data())
