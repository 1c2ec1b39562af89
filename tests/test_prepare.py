"""The stage `prepare`."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.inputs import ROOT
from stages import data
from stages.data import watch
from stages.data.source import Source, Split
from stages.data.splits import make_splits
from stages.errors import UserError
from stages.files import PREPARED, read_table, sha256
from stages.prepare import prepare
from stages.settings import params
from tests import drawn
from tests.data import photographs
from tests.prepared import ONE

TABLES = ("near_duplicates", "odd_images", "train_names")
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "folds")


def drawings(settings=None) -> Source:
    """Return 60 grey images of 4 x 5 pixels in two classes."""
    images = np.arange(60 * 20, dtype=np.uint16).reshape(60, 4, 5, 1) // 5
    labels = np.tile([0, 1, 1], 20)
    return Source("drawings", "none", ("cat", "dog"), Split(images.astype(np.uint8), labels))


@pytest.fixture(autouse=True)
def _elsewhere(folder, monkeypatch):
    monkeypatch.setitem(data.SOURCES, "drawings", drawings)


def write_params(**sections) -> params.Params:
    content = {"data": {"source": "drawings"}, **ONE, **sections}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    return params.load()


def prepared() -> dict[str, np.ndarray]:
    return {name: np.load(PREPARED / f"{name}.npy") for name in ARRAYS}


def dataset() -> dict:
    return json.loads((PREPARED / "dataset.json").read_text())


def digests() -> dict[str, str]:
    return {path.name: sha256(path) for path in PREPARED.iterdir()}


def test_corrected_labels_and_rows_are_those_of_the_source():
    Path("fixed.csv").write_text("row,label\n0,dog\n7,\n8,cat\n")
    write_params(data={"source": "drawings", "corrections": "fixed.csv"})
    prepare()
    source, arrays = drawings().train, prepared()
    labels = source.labels.copy()
    labels[[0, 8]] = 1, 0
    assert len(arrays["train_labels"]) + len(arrays["test_labels"]) == 59
    rows = [row["row"] for row in read_table(PREPARED / "train_names.csv")]
    assert len(rows) == len(arrays["train_labels"])
    assert 7 not in rows
    assert arrays["train_labels"].tolist() == labels[rows].tolist()
    assert (arrays["train_images"] == source.images[rows]).all()


@pytest.mark.parametrize(("section", "setting"), [("data", "corrections"), ("folds", "group")])
def test_a_misspelt_table_is_refused_before_images_are_read(monkeypatch, section, setting):
    monkeypatch.setitem(data.SOURCES, "drawings", None)  # reading would fail
    sections = {"data": {"source": "drawings"}}
    sections.setdefault(section, {})[setting] = "fixs.csv"
    write_params(**sections)
    with pytest.raises(UserError, match=rf"{section}\.{setting}: fixs\.csv is not a file"):
        prepare()


def test_images_of_parquet_files_have_groups_by_name():
    images = [drawn.encoded(drawn.pixels(number)) for number in range(40)]
    pq.write_table(pa.table({"image": images, "label": [0, 1] * 20}), "mine.parquet")
    lines = [f"mine.parquet/{row:06},{row % 20}" for row in range(40)]
    Path("groups.csv").write_text("\n".join(["file,group", *lines]))
    write_params(data={"source": "mine.parquet"}, folds={"count": 2, "group": "groups.csv"})
    prepare()
    assert sum(dataset()["groups"].values()) == 20


def test_each_image_is_in_one_split_with_its_label_and_in_the_order_of_the_source(capsys):
    settings = write_params(folds={"count": 4, "repeats": 2})
    prepare()
    train, arrays = drawings().train, prepared()
    assert sorted(digests()) == sorted(
        [*(f"{name}.npy" for name in ARRAYS), "dataset.json", *(f"{name}.csv" for name in TABLES)]
    )
    splits = make_splits(drawings(), settings)
    assert sorted([*splits.train, *splits.test]) == list(range(60))
    for split, rows in (("train", splits.train), ("test", splits.test)):
        assert rows.tolist() == sorted(rows)
        assert (arrays[f"{split}_images"] == train.images[rows]).all()
        assert (arrays[f"{split}_labels"] == train.labels[rows]).all()
    assert (arrays["folds"] == splits.folds).all()
    assert {array.dtype.name for array in arrays.values()} == {"uint8", "int64", "int16"}
    assert capsys.readouterr().out == (
        "drawings: 48 training and 12 test images of 4x5x1 in 2 classes, 4 folds, 2 repeats\n"
    )


def test_twice_gives_the_same_bytes_and_another_seed_others():
    made = []
    for sections in ({}, {}, {"folds": {"seed": 2}}):
        write_params(**sections)
        prepare()
        made.append(digests())
    assert made[0] == made[1]
    changed = {name for name, digest in made[2].items() if made[0][name] != digest}
    assert changed == {"folds.npy", "dataset.json"}
    write_params(data={"source": "drawings", "seed": 2})
    prepare()
    assert digests()["test_images.npy"] != made[0]["test_images.npy"]


def test_a_test_set_of_the_source_is_kept_and_a_limit_is_per_split(monkeypatch):
    source = drawings()
    test = Split(255 - source.train.images[:12], source.train.labels[:12])
    monkeypatch.setitem(data.SOURCES, "drawings", lambda _: replace(source, test=test))
    write_params(data={"source": "drawings", "limit": 30})
    prepare()
    arrays = prepared()
    assert (arrays["test_images"] == test.images).all()
    assert np.bincount(arrays["train_labels"]).tolist() == [10, 20]
    assert arrays["folds"].shape == (1, 30)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"data": {"source": "drawing"}}, "'drawings'"),
        ({"folds": {"count": 17}}, r"folds\.count is 17.*'cat'"),
        ({"variants": {"basic": {"architecture": "basick"}}}, r"variants\.basic\.architecture"),
    ],
)
def test_a_refusal_leaves_nothing_behind(sections, expected):
    write_params(**sections)
    with pytest.raises(UserError, match=expected):
        prepare()
    assert not Path("data").exists()


@pytest.mark.slow
def test_the_default_source_and_a_refusal_through_the_command():
    command, environment = [sys.executable, "-m", "stages", "prepare"], {"PYTHONPATH": str(ROOT)}
    write_params(data={"source": "mnist-5k"})
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mnist-5k: 4000 training and 1000 test images of 28x28x1")
    arrays = prepared()
    assert np.bincount(arrays["test_labels"]).tolist() == [100] * 10
    assert (np.diff(arrays["train_labels"]) >= 0).all()  # class order, as in the source
    write_params(data={"source": "mnist", "folder": "."})
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: ")
    assert done.stderr.count("\n") == 1


def test_a_folder_of_images_with_an_absolute_path(tmp_path, capsys):
    """No file that DVC tracks may contain the path."""
    files = drawn.classes("a cat", "Ωmega", each=10)
    tree = drawn.tree(tmp_path / "my pets", files | {"a cat/x.png": b"", "Ωmega/y.jpg": b"text"})
    write_params(data={"source": str(tree), "image_size": 16})
    prepare()
    out, err = capsys.readouterr()
    assert "my pets: 2 files are left out: a cat/x.png" in err
    (note,) = dataset()["notes"]
    assert f"foldlab: my pets: {note}" in err
    assert out.startswith("my pets: 16 training and 4 test images of 16x16x1 in 2 classes")
    assert dataset()["classes"] == ["a cat", "Ωmega"]
    for path in PREPARED.iterdir():
        assert os.fsencode(tmp_path) not in path.read_bytes()


def test_a_copy_and_an_odd_picture_of_a_folder_are_listed(tmp_path, capsys):
    pieces = [photographs.pieces()[row] for row in range(24, 48)]
    tree = {
        f"{'cat' if row % 2 else 'dog'}/{row:02}.png": np.asarray(one)
        for row, one in enumerate(pieces)
    }
    copy = photographs.cropped(pieces[3])
    tree["dog/copy.jpg"] = drawn.encoded(copy, "JPEG", quality=80)
    tree["cat/strip.png"] = np.asarray(pieces[7].crop((0, 40, 96, 52)))
    drawn.tree(tmp_path / "pets", tree)
    write_params(data={"source": "pets", "image_size": 48})
    prepare()
    listed = read_table(PREPARED / "near_duplicates.csv")
    assert {row["file"] for row in listed} == {"cat/03.png", "dog/copy.jpg"}
    assert {row["label"] for row in listed} == {"cat", "dog"}
    found = dataset()
    assert found["near_duplicates"]["groups"] == found["near_duplicates"]["two_labels"] == 1
    assert "more than one label, such as" in capsys.readouterr().err
    (odd,) = [row for row in read_table(PREPARED / "odd_images.csv") if row["what"] == "shape"]
    assert (odd["file"], odd["value"], odd["median"]) == ("cat/strip.png", 0.125, 1)
    files, labels = [*sorted(tree)], np.load(PREPARED / f"{odd['split']}_labels.npy")
    assert files[odd["row"]] == odd["file"]
    assert found["classes"][labels[odd["index"]]] == odd["label"] == "cat"


def test_the_prepared_data_name_the_digest_of_the_files_read(tmp_path):
    top = drawn.tree(tmp_path / "pets", drawn.classes("cat", "dog", each=10))
    settings = write_params(data={"source": "pets"})
    prepare()
    before = dataset()["source_sha256"]
    assert before == watch.digests(settings)["data.source"]
    (top / "cat/0.png").write_bytes(drawn.encoded(drawn.pixels(99)))
    prepare()
    assert dataset()["source_sha256"] != before


@pytest.mark.parametrize("emptied", [False, True])
def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, emptied):
    top = drawn.tree(tmp_path / "pets", drawn.classes("cat", "dog", each=10))
    write_params(data={"source": "pets"})

    def meanwhile(*given):
        for file in (top / "cat").iterdir():
            file.unlink() if emptied else file.write_bytes(drawn.encoded(drawn.pixels(99)))
        return make_splits(*given)

    monkeypatch.setattr("stages.prepare.make_splits", meanwhile)
    with pytest.raises(UserError, match=r"data\.source changed while"):
        prepare()
    assert not (PREPARED / "dataset.json").exists()


def test_a_full_disk_and_a_forbidden_folder_are_one_sentence_and_leave_no_part(monkeypatch):
    def full(*ignored):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_params()
    with monkeypatch.context() as patch:
        patch.setattr("numpy.lib.format.write_array_header_1_0", full)
        with pytest.raises(UserError, match=r"^data/prepared/train_images\.npy.*No space left"):
            prepare()
    assert list(PREPARED.iterdir()) == []
    PREPARED.rmdir()
    PREPARED.write_text("a file where the folder belongs")
    with pytest.raises(UserError, match=r"^data/prepared/train_images\.npy"):
        prepare()
