"""A path as a source: its format, and what holds for every format."""

import os

import numpy as np
import pytest

from stages import data
from stages.data import idx
from stages.settings.sections import Data
from tests.drawn import classes, encoded, pixels, tree
from tests.drawn import idx as idx_file

IMAGES = np.stack([pixels(seed, width=8) for seed in range(4)])
TABLE = "label," + ",".join(f"p{pixel}" for pixel in range(64)) + "\n"
for _number, _image in enumerate(IMAGES):
    TABLE += f"{_number % 2}," + ",".join(map(str, _image.ravel())) + "\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Put one source of each format into a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    tree(tmp_path / "idx", {idx.TRAIN_IMAGES: idx_file(IMAGES[..., 0])})
    tree(tmp_path / "idx", {idx.TRAIN_LABELS: idx_file(np.arange(4) % 2)})
    np.savez(tmp_path / "all.npz", images=IMAGES, labels=np.arange(4) % 2)
    tree(tmp_path, {"all.csv": TABLE.encode(), "tables/train.csv": TABLE.encode()})
    tree(tmp_path / "pets", {f"{row % 2}/{row}.png": image for row, image in enumerate(IMAGES)})
    return tmp_path


@pytest.mark.parametrize("source", ["idx", "all.npz", "all.csv", "tables", "pets"])
@pytest.mark.parametrize("way", ["{}", "./{}", "idx/../{}", "{here}/{}", "{}/"])
def test_each_format_is_detected_and_gives_the_same_images(here, source, way):
    given = way.format(source, here=here)
    found = data.load(Data(source=given))
    order = [0, 2, 1, 3] if source == "pets" else [0, 1, 2, 3]
    assert (found.train_images == IMAGES[order]).all()
    assert found.train_labels.tolist() == [row % 2 for row in order]
    assert (found.name, found.classes) == (source, ("0", "1"))
    assert found.licence == "not stated"


@pytest.mark.parametrize("given", [".", "..", "0/..", "../pets/."])
def test_the_name_does_not_reveal_the_folder(here, monkeypatch, given):
    monkeypatch.chdir(here / "pets" / ("0" if given == ".." else ""))
    found = data.load(Data(source=given))
    assert found.train_files[0] == "0/0.png"
    assert found.name == ("pets" if "pets" in given else "images")


def test_a_known_name_goes_before_a_path(here):
    tree(here / "mnist-5k", classes("cat", "dog"))
    assert data.load(Data(source="mnist-5k")).train_images.shape == (5000, 28, 28, 1)
    assert data.load(Data(source="./mnist-5k")).classes == ("cat", "dog")


def test_the_setting_decides_between_formats_that_both_match(here):
    tree(here / "pets", {"train.csv": TABLE.encode()})
    with pytest.raises(ValueError, match=r"csv or folder; .*data\.format"):
        data.load(Data(source="pets"))
    assert data.load(Data(source="pets", format="folder")).train_files is not None
    assert data.load(Data(source="pets", format="csv")).train_files is None
    (here / "all.csv").rename(here / "all.data")
    assert data.load(Data(source="all.data", format="csv")).name == "all.data"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"source": ""}, "data.source is ''"),
        ({"source": "pet"}, "data.source is 'pet'"),
        ({"source": "a\0b"}, r"data.source is 'a\x00b'"),
        ({"source": "x" * 5000}, "data.source is 'xxx"),
        ({"source": "mnist5k"}, "names are fashion-mnist, mnist, mnist-5k. Did you mean 'mnist-5k"),
        ({"source": "empty"}, "empty is a folder with nothing"),
        ({"source": "photos"}, "photos is a folder with '0.png', '1.png', '2.png', '3.png', "
                               "'4.png', ..."),
        ({"source": "odd.zip"}, "odd.zip is a file of unknown format"),
        ({"source": "pipe"}, "pipe is neither a file nor a folder; give one that is."),
        ({"source": "pipe", "format": "csv"}, "pipe is neither a file nor a folder"),
        ({"source": "pets", "folder": "pets"}, "data.folder is 'pets'"),
        ({"source": "mnist", "format": "idx"}, "data.format is 'idx', but data.source 'mnist' is"),
        ({"source": "all.npz", "image_size": 9}, "data.image_size is [9, 9], but all.npz's images"),
        ({"source": "idx", "channels": "rgb"}, "data.channels is 'rgb', but idx's images have 1 c"),
        ({"source": "mnist-5k", "image_size": 32}, "data.image_size is [32, 32], but mnist-5k's"),
        ({"source": "pets", "format": "npz"}, "pets"),
        ({"source": "pets", "format": "idx"}, "pets has no train-images-idx3-ubyte"),
        ({"source": "all.npz", "format": "folder"}, "all.npz is not a folder"),
        ({"source": "all.npz", "format": "idx"}, "all.npz has no train-images"),
        ({"source": "all.npz", "format": "csv"}, "all.npz is not UTF-8"),
        ({"source": "all.csv", "format": "npz"}, "all.csv is not an .npz file"),
    ],
)  # fmt: skip
def test_refused_in_one_sentence(here, settings, expected):
    (here / "empty").mkdir()
    os.mkfifo(here / "pipe")
    tree(here, {f"photos/{number}.png": encoded(pixels(number)) for number in range(6)})
    tree(here, {"odd.zip": b"PK"})
    with pytest.raises((ValueError, OSError)) as refusal:
        data.load(Data(**settings))
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_size_and_channels_that_the_images_have_are_no_reason_to_refuse():
    settings = {"image_size": 8, "channels": "gray"}
    for source in ("idx", "all.npz", "all.csv", "pets"):
        assert data.load(Data(source=source, **settings)).train_images.shape == (4, 8, 8, 1)


def test_wrong_arrays_are_refused_before_anything_asks_for_their_size(here):
    np.savez(here / "flat.npz", images=np.zeros((4, 64)), labels=np.arange(4))
    with pytest.raises(ValueError, match=r"have the shape \(4, 64\)"):
        data.load(Data(source="flat.npz"))
