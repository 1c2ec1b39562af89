"""What holds for every reader, whatever the images: all is read again, and nothing else passes."""

import gzip
import io
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from stages import data
from stages.data import idx
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn

FEW = settings(max_examples=25, deadline=None)
SIDES = st.integers(8, 11)
NAMES = st.lists(
    st.text("abcÄ語0 _-", min_size=1, max_size=6).map(str.strip).filter(bool).map("c{}".format),
    min_size=2,
    max_size=4,
    unique=True,
)


@st.composite
def labelled(draw, channels=(1, 3)):
    """Draw 3 to 6 images, uint8 (n, height, width, channels), and the number of each one's class.

    One pixel is 255, so that images of any type are none of 0 to 1; two classes are there at least.
    """
    count = draw(st.integers(3, 6))
    shape = (count, draw(SIDES), draw(SIDES), draw(st.sampled_from(channels)))
    images = draw(npst.arrays(np.uint8, shape))
    images[0, 0, 0, 0] = 255
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=count - 2, max_size=count - 2))]
    return images, np.array(labels)


def read(files, name=".", **given):
    """Write files to a folder of their own and load them as a source of one's own."""
    with tempfile.TemporaryDirectory() as folder:
        drawn.tree(Path(folder), files)
        return data.load(Data(source=str(Path(folder) / name), **given))


def same(source, images, named):
    """Check that a source has these images, and classes of these names, in this order."""
    np.testing.assert_array_equal(source.train_images, images)
    assert source.train_images.dtype == np.uint8
    assert [source.classes[label] for label in source.train_labels] == [str(name) for name in named]


@FEW
@given(labelled(channels=[1]), st.sampled_from(["", ".gz"]), st.integers(0, 200))
def test_idx_files_of_any_images(made, suffix, first):
    images, labels = made
    pack = gzip.compress if suffix else bytes
    files = {
        idx.TRAIN_IMAGES + suffix: pack(drawn.idx(images[..., 0])),
        idx.TRAIN_LABELS + suffix: pack(drawn.idx(labels + first)),
    }
    same(read(files), images, labels + first)


@FEW
@given(
    labelled(),
    st.sampled_from(["u1", "u2", "i2", "i4", "i8", ">u4", "f2", "f4", "f8", ">f4"]),
    st.sampled_from([np.savez, np.savez_compressed]),
    st.sampled_from("CF"),
    st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=2, unique=True) | NAMES,
)
def test_npz_files_of_any_type_and_order(made, kind, save, order, names):
    images, labels = made
    named, file = np.array(names)[labels], io.BytesIO()
    save(file, images=np.asarray(images.astype(kind), order=order), labels=named)
    same(read({"a.npz": file.getvalue()}, "a.npz"), images, named)


@FEW
@given(labelled(), st.sampled_from(["{}", '"{}"', " {} ", "{}.0"]), NAMES, st.data())
def test_csv_files_with_the_label_anywhere(made, form, names, chance):
    images, labels = made
    at = chance.draw(st.integers(0, images[0].size))
    named = [names[label] for label in labels]
    content = drawn.table(images, named, at, form).encode()
    size, colour = list(images.shape[1:3]), "rgb" if images.shape[3] == 3 else "gray"
    same(read({"a.csv": content}, "a.csv", image_size=size, channels=colour), images, named)


@FEW
@given(labelled(), st.sampled_from(["PNG", "BMP", "TIFF", "GIF"]), NAMES)
def test_a_folder_of_images_of_any_kind_that_keeps_pixels(made, kind, names):
    images, labels = made
    if kind == "GIF":  # it keeps 256 colours
        images = images[..., :1]
    files = {
        f"{names[label]}/{row}.{kind.lower()}": drawn.encoded(image, kind)
        for row, (image, label) in enumerate(zip(images, labels, strict=True))
    }
    source = read(files)
    order = [int(Path(name).stem) for name in source.train_files]
    assert sorted(order) == list(range(len(images)))
    # colour that is grey throughout has one channel
    found = np.broadcast_to(source.train_images, images.shape)
    np.testing.assert_array_equal(found, images[order])
    named = [source.classes[label] for label in source.train_labels]
    assert named == [names[label] for label in labels[order]]


FOLDER = {f"{name}/{row}.png": drawn.pixels(row) for row, name in enumerate("aabb")}
LABELS = {idx.TRAIN_LABELS: drawn.idx(np.arange(4) % 2)}
BEGINNINGS = [  # of files that readers know, so that they look further
    b"",
    b"\0\0\x08\x03\0\0\0",
    b"\x1f\x8b\x08\0",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"label,a,b\n",
    b'\xef\xbb\xbf"label"',
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF\0\0\0\0WEBPVP8 ",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "name", "source"),
    [
        (LABELS, idx.TRAIN_IMAGES, "."),
        ({}, "a.npz", "a.npz"),
        ({}, "a.csv", "a.csv"),
        (FOLDER, "a/x.png", "."),
        (FOLDER, "b/x.jpeg", "."),
    ],
    ids=["idx", "npz", "csv", "png", "jpeg"],
)
def test_any_bytes_are_read_or_refused_in_one_sentence(files, name, source):
    refused = []

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(BEGINNINGS), st.binary(max_size=200))
    def attempt(beginning, rest):
        refusal = None
        with redirect_stderr(io.StringIO()):  # which names what is left out
            try:
                found = read({**files, name: beginning + rest}, source)
            except (ValueError, OSError) as error:
                refusal = error
        if refusal is None:
            assert len(found.train_images) == len(found.train_labels)
            refused.extend(found.unreadable)
        else:
            assert type(refusal) is UserError  # not one of a library's own kinds
            assert "\n" not in str(refusal)
            refused.append(refusal)

    attempt()
    assert len(refused) > 100


IMAGES = np.stack([drawn.pixels(seed, 8, 8) for seed in range(4)])
SAVED = io.BytesIO()
np.savez(SAVED, images=IMAGES, labels=np.arange(4) % 2)
READERS = {
    "idx": ({**LABELS, idx.TRAIN_IMAGES: drawn.idx(IMAGES[..., 0])}, "."),
    "npz": ({"a.npz": SAVED.getvalue()}, "a.npz"),
    "csv": ({"a.csv": drawn.table(IMAGES, [0, 1, 0, 1]).encode()}, "a.csv"),
    "folder": (FOLDER, "."),
}


@pytest.mark.parametrize(
    ("reader", "broken", "error"),
    [
        ("idx", "idx.math", AttributeError),
        ("npz", "npz.math", AttributeError),
        ("npz", "arrays.names", TypeError),
        ("csv", "pixel_csv.math", AttributeError),
        ("csv", "pixel_csv._parse", TypeError),
        ("folder", "decode.GREY", TypeError),  # a look at an image
        ("folder", "decode.upright", TypeError),  # its pixels
        ("folder", "decode.RESIZE", TypeError),
    ],
)
def test_a_bug_of_ours_keeps_its_traceback(monkeypatch, reader, broken, error):
    files, name = READERS[reader]
    settings = {"image_size": 16} if reader == "folder" else {}
    assert len(read(files, name, **settings).train_images) == 4
    monkeypatch.setattr(f"stages.data.{broken}", None)
    with pytest.raises(error, match="None"):
        read(files, name, **settings)


def test_an_impossible_record_of_ours_is_not_blamed_on_the_table(monkeypatch):
    monkeypatch.setattr("stages.data.pixel_csv.LABEL", "before")  # a name that is there already
    with pytest.raises(ValueError, match="occurs more than once") as bug:
        read({"a.csv": drawn.table(IMAGES, "0101").replace("label", "before").encode()}, "a.csv")
    assert type(bug.value) is ValueError
