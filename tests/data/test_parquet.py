"""Parquet files of encoded images, as in data sets of Hugging Face."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages import data
from stages.data import parquet
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn
from tests.refusals import refused

PICTURES = [drawn.pixels(seed) for seed in range(6)]
LABELS = [1, 0, 1, 0, 10, 1]


def write(path, rows=range(6), names=None, column="image", struct=True, label="label", **more):
    encoded = [drawn.encoded(PICTURES[row]) for row in rows]
    images = [{"bytes": content, "path": None} for content in encoded] if struct else encoded
    table = pa.table({label: [LABELS[row] for row in rows], column: images, **more})
    if names:
        features = {"features": {label: {"names": names}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": features})})
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize("struct", [True, False])
def test_a_file_holds_images_and_labels(tmp_path, struct):
    path = write(tmp_path / "mine.parquet", column="picture", struct=struct)
    source = data.load(Data(source=str(path)))
    assert source.classes == ("0", "1", "10")
    assert source.train.labels.tolist() == [0, 0, 1, 1, 1, 2]
    order = [1, 3, 0, 2, 5, 4]
    assert all((source.train.images[at] == PICTURES[row]).all() for at, row in enumerate(order))
    assert source.train.files[0] == "mine.parquet/000001"


def test_of_several_columns_the_one_called_image_is_read(tmp_path):
    mask, codes = [drawn.encoded(drawn.pixels(9))] * 6, [b"cat", b"dog"] * 3
    images = [drawn.encoded(picture) for picture in PICTURES]
    table = pa.table({"label": codes, "mask": mask, "Image": images})
    pq.write_table(table, tmp_path / "mine.parquet")
    source = data.load(Data(source=str(tmp_path / "mine.parquet")))
    assert source.classes == ("cat", "dog")
    assert (source.train.images[0] == PICTURES[0]).all()
    pq.write_table(table.rename_columns(["label", "mask", "scan"]), tmp_path / "mine.parquet")
    with refused("'mask', 'scan'"):
        data.load(Data(source=str(tmp_path / "mine.parquet")))


def test_several_labels_per_image_are_refused(tmp_path):
    path = tmp_path / "mine.parquet"
    images = [drawn.encoded(picture) for picture in PICTURES[:2]]
    for labels in ([[0], [0, 1]], [{"a": 1}, {"a": 2}]):
        pq.write_table(pa.table({"label": labels, "image": images}), path)
        with refused(r"'label'.*data\.label_column"):
            data.load(Data(source=str(path)))


def test_names_of_files_are_splits_and_metadata_names_classes(tmp_path):
    names = [f"class {number}" for number in range(10)] + ["ten"]
    train = write(tmp_path / "all/train-00000-of-00001.parquet", [0, 1, 4], names)
    write(tmp_path / "all/validation-00000-of-00001.parquet", [2, 3], names)
    write(tmp_path / "all/test-00000-of-00001.parquet", [5], names)
    source = data.load(Data(source=str(tmp_path / "all")))
    assert source.classes == ("class 0", "class 1", "ten")
    assert (len(source.train.files), len(source.test.files)) == (5, 1)
    assert any("validation-" in note for note in source.notes)
    assert len(data.load(Data(source=str(tmp_path / "all"), validation="test")).test.files) == 3
    train.unlink()
    with pytest.raises(UserError, match="no training image"):
        data.load(Data(source=str(tmp_path / "all"), validation="ignore"))


@pytest.mark.parametrize("outside", [-1, 11])
def test_a_label_without_a_name_is_refused(tmp_path, monkeypatch, outside):
    """Hugging Face's data sets have -1 in splits without labels."""
    monkeypatch.setitem(globals(), "LABELS", [*LABELS[:5], outside])
    path = write(tmp_path / "mine.parquet", names=[str(number) for number in range(11)])
    with pytest.raises(UserError, match=f"the label {outside}"):
        data.load(Data(source=str(path)))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"label": "kind"}, r"'kind'.*data\.label_column"),
        ({"column": "picture", "label": "y", "size": [1] * 6}, None),
    ],
)
def test_columns_are_found_or_must_be_set(tmp_path, more, expected):
    path = write(tmp_path / "mine.parquet", **more)
    if expected is None:
        assert data.load(Data(source=str(path))).classes == ("0", "1", "10")
        return
    with pytest.raises(UserError, match=expected):
        data.load(Data(source=str(path)))
    assert data.load(Data(source=str(path), label_column="kind")).classes == ("0", "1", "10")


def test_other_files_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "mine.parquet"
    for content, expected in ((b"", "not a parquet file"), (b"PAR1xxxxPAR1", "not a parquet file")):
        path.write_bytes(content)
        with refused(expected):
            data.load(Data(source=str(path)))
    pq.write_table(pa.table({"label": [1, 0], "size": [3, 4]}), path)
    with pytest.raises(UserError, match="no column of encoded images"):
        data.load(Data(source=str(path)))
    pq.write_table(pa.table({"label": [1, None], "image": [b"x", b"y"]}), path)
    with pytest.raises(UserError, match="without an image or a label"):
        data.load(Data(source=str(path)))


def test_splits_are_words_in_names_of_files(tmp_path):
    names = ("mnist_train", "test_0", "test0", "cifar10-test", "Beans_Test", "validation_0", "a")
    for name in names:
        write(tmp_path / f"all/{name}.parquet", range(2))
    source = data.load(Data(source=str(tmp_path / "all"), validation="test", duplicates="allow"))
    assert {name.partition(".")[0] for name in source.train.files} == {"mnist_train", "a"}
    write(tmp_path / "all/train-test.parquet")
    with refused("'train-test' says train and test"):
        data.load(Data(source=str(tmp_path / "all")))


def test_labels_are_treated_like_those_of_arrays(tmp_path, monkeypatch):
    write(tmp_path / "all/train-0.parquet", [0, 1])
    monkeypatch.setitem(globals(), "LABELS", [1.0, 0.0, 1.0, 10.0, 0.0, 1.0])
    write(tmp_path / "all/train-1.parquet")
    assert data.load(Data(source=str(tmp_path / "all"))).classes == ("0", "1", "10")
    monkeypatch.setitem(globals(), "LABELS", [1.0, 0.0, float("nan"), 10.0, 0.0, 1.0])
    write(tmp_path / "all/train-1.parquet")
    with refused("image 2 has the label nan"):
        data.load(Data(source=str(tmp_path / "all")))
    monkeypatch.setitem(globals(), "LABELS", ["a", " a", "Ö", "O\N{COMBINING DIAERESIS}", "a", "a"])
    source = data.load(Data(source=str(write(tmp_path / "mine.parquet"))))
    assert source.classes == ("a", "Ö")


@pytest.mark.parametrize("struct", [True, False])
def test_a_column_may_have_more_than_2_gib(tmp_path, monkeypatch, struct):
    part = pa.array([bytes(2**26)])
    if struct:
        part = pa.StructArray.from_arrays([part], ["bytes"])
    table = pa.table({"image": pa.chunked_array([part] * 40), "label": [0, 1] * 20})
    monkeypatch.setattr(pq, "read_table", lambda path: table)
    images, labels = parquet._columns(tmp_path / "large.parquet", Data())
    assert (len(images), labels) == (40, [0, 1] * 20)
