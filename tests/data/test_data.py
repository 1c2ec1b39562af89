"""The registry of sources, and what holds for every format of the user's own images."""

import os

import numpy as np
import pytest

from stages import data
from stages.data import idx
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data
from tests.drawn import classes, encoded, pixels, table, tree
from tests.drawn import idx as idx_file
from tests.refusals import refusal

IMAGES = np.stack([pixels(seed, width=8) for seed in range(4)])
LABELS = np.arange(4) % 2
TABLE = table(IMAGES, LABELS).encode()


@pytest.fixture
def sources(here):
    """Put one source of each format into its own folder."""
    files = {idx.TRAIN_IMAGES: idx_file(IMAGES[..., 0]), idx.TRAIN_LABELS: idx_file(LABELS)}
    tree(here / "idx", files)
    np.savez(here / "all.npz", images=IMAGES, labels=LABELS)
    tree(here, {"all.csv": TABLE, "tables/train.csv": TABLE})
    tree(here / "pets", {f"{row % 2}/{row}.png": image for row, image in enumerate(IMAGES)})
    return here


@pytest.mark.parametrize("way", ["{}", "idx/../{}", "{here}/{}", "{}/"])
def test_each_format_is_detected_and_gives_the_same_images(sources, way):
    for source in ("idx", "all.npz", "all.csv", "tables", "pets"):
        settings = {"image_size": 8, "channels": "gray"} if way == "{}" else {}  # as they are
        found = data.load(Data(source=way.format(source, here=sources), **settings))
        order = [0, 2, 1, 3] if source == "pets" else [0, 1, 2, 3]
        assert (found.train.images == IMAGES[order]).all()
        assert found.train.labels.tolist() == [row % 2 for row in order]
        assert (found.name, found.classes) == (source, ("0", "1"))


@pytest.mark.parametrize("given", [".", "..", "0/..", "../pets/."])
def test_the_name_does_not_reveal_the_folder(sources, monkeypatch, given):
    monkeypatch.chdir(sources / "pets" / ("0" if given == ".." else ""))
    found = data.load(Data(source=given))
    assert found.train.files[0] == "0/0.png"
    assert found.name == ("pets" if "pets" in given else "images")


def test_own_data_never_have_the_name_of_a_known_data_set(sources):
    (sources / "pets").rename(sources / "mnist")
    assert data.load(Data(source="./mnist")).name == "images"


def test_a_known_name_takes_precedence_over_a_path(here):
    tree(here / "mnist-5k", classes("cat", "dog"))
    assert data.load(Data(source="mnist-5k")).train.images.shape == (5000, 28, 28, 1)
    assert data.load(Data(source="./mnist-5k")).classes == ("cat", "dog")


@pytest.mark.parametrize("setting", ["corrections", "pattern"])
def test_a_table_of_corrections_in_the_folder_is_no_source(here, setting):
    """It has the columns of a CSV file of labels."""
    flat = setting == "pattern"
    form = "{}-{}.png" if flat else "{}/{}.png"
    names = [form.format("cat" if row % 2 else "dog", row) for row in range(4)]
    corrected = {"corrections.csv": f"file,label\n{names[0]},dog\n".encode()}
    tree(here / "pets", dict(zip(names, IMAGES, strict=True)) | corrected)
    pattern = {"label_pattern": "^([a-z]+)-"} if flat else {}
    settings = Data(source="pets", corrections="pets/corrections.csv", **pattern)
    assert sorted(data.load(settings).train.files) == sorted(names)


@pytest.mark.parametrize("folder", [".ipynb_checkpoints", "__MACOSX"])
def test_folders_that_programs_leave_behind_are_no_classes(sources, folder):
    for source in ("tables", "idx"):
        tree(sources / source, {f"{folder}/copy.txt": b""})
        assert data.load(Data(source=source)).classes == ("0", "1")


def test_the_setting_decides_between_formats_that_both_match(sources):
    tree(sources / "pets", {"train.csv": TABLE})
    with pytest.raises(UserError, match=r"csv or folder; .*data\.format"):
        data.load(Data(source="pets"))
    assert data.load(Data(source="pets", format="folder")).train.files is not None
    assert data.load(Data(source="pets", format="csv")).train.files is None
    (sources / "all.csv").rename(sources / "all.data")
    assert data.load(Data(source="all.data", format="csv")).name == "all.data"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"source": ""}, "data.source is ''"),
        ({"source": "a\0b"}, r"data.source is 'a\x00b'"),
        ({"source": "mnist5k"}, "'mnist-5k'"),
        ({"source": "empty"}, "empty is an empty folder"),
        ({"source": "photos"}, "photos has no class folders; set data.label_pattern"),
        ({"source": "texts"}, "texts is a folder with '0.txt', '1.txt', '2.txt', '3.txt', "
                              "'4.txt', ..."),
        ({"source": "archives"}, "archives/odd.zip is an archive; run `unzip"),
        ({"source": "odd.zip"}, "odd.zip is an archive"),
        ({"source": "pipe", "format": "csv"}, "pipe is neither a file nor a folder"),
        ({"source": "pets", "folder": "pets"}, "data.folder is 'pets'"),
        ({"source": "mnist-5k", "folder": "pets"}, "data.folder is 'pets'"),
        ({"source": "mnist", "format": "idx"}, "data.format is 'idx'"),
        ({"source": "mnist-5k", "bits": 8}, "data.bits is 8"),
        ({"source": "all.npz", "bits": 12}, "data.bits is 12"),
        ({"source": "all.npz", "label_pattern": "(a)"}, "data.label_pattern is '(a)'"),
        ({"source": "pets", "label_column": "kind"}, "data.label_column is 'kind'"),
        ({"source": "all.npz", "image_size": 9}, "data.image_size is [9, 9]"),
        ({"source": "idx", "channels": "rgb"}, "data.channels is 'rgb'"),
        ({"source": "pets", "format": "npz"}, "pets is a folder"),
        ({"source": "all.npz", "format": "folder"}, "all.npz is not a folder"),
        ({"source": "all.npz", "format": "csv"}, "all.npz is not UTF-8"),
    ],
)  # fmt: skip
def test_refused_in_one_sentence(sources, settings, expected):
    (sources / "empty").mkdir()
    os.mkfifo(sources / "pipe")
    tree(sources, {f"photos/{number}.png": encoded(pixels(number)) for number in range(6)})
    tree(sources, {"odd.zip": b"PK", "archives/odd.zip": b"PK"})
    tree(sources, {f"texts/{number}.txt": b"" for number in range(6)})
    assert expected in refusal(data.load, Data(**settings))


@pytest.mark.parametrize("source", ["pets", "idx", "all.npz", "all.csv"])
@pytest.mark.parametrize("name", data.FORMATS)
def test_a_source_of_another_format_is_refused(sources, source, name):
    fits = {"pets": ("folder",), "idx": ("idx",), "all.npz": ("npz",), "all.csv": ("csv",)}
    if name in fits[source]:
        assert data.load(Data(source=source, format=name)).classes == ("0", "1")
        return
    with pytest.raises(UserError, match=source.partition(".")[0]):
        data.load(Data(source=source, format=name))


def test_the_images_of_a_registered_source_are_checked(monkeypatch):
    broken = Source("broken", "none", ("a", "b"), Split(np.full((2, 1, 1, 1), np.nan), LABELS[:2]))
    monkeypatch.setitem(data.SOURCES, "broken", lambda settings: broken)
    with pytest.raises(UserError, match=r"^broken"):
        data.load(Data(source="broken"))


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ("idx", "idx.math"),
        ("all.npz", "arrays.names"),
        ("all.csv", "pixel_csv.math"),
        ("all.csv", "pixel_csv._parse"),
        ("all.npz", "npz._pair"),
        ("pets", "decode.is_wide"),
        ("pets", "decode.upright"),
        ("pets", "decode.resized"),
    ],
)
def test_a_bug_of_ours_keeps_its_traceback(sources, monkeypatch, source, broken):
    monkeypatch.setattr(f"stages.data.{broken}", None)
    with pytest.raises((AttributeError, TypeError), match="None"):
        data.load(Data(source=source))
