"""A folder of images per class becomes one array, and nothing is dropped silently."""

import io
import sys
import tracemalloc

import numpy as np
import pytest

from stages import data
from stages.data import image_folder
from stages.errors import UserError
from stages.settings.sections import Data
from tests.drawn import classes, deep_png, encoded, pixels, tree
from tests.refusals import refused


def load(top, files, **settings):
    return data.load(Data(source=str(tree(top / "pets", files)), **settings))


@pytest.mark.parametrize("folders", [("cat", "dog"), ("train/cat", "train/dog", "test/dog")])
def test_each_class_is_a_folder(tmp_path, folders):
    files = classes(*folders)
    images, source = np.stack([*files.values()]), load(tmp_path, files)
    assert (source.train.images == images[:6]).all()
    assert source.train.files == tuple(files)[:6]
    assert source.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (source.classes, source.unreadable) == (("cat", "dog"), {})
    if len(folders) == 2:
        assert source.notes == ()
        assert source.test is None
    else:
        assert (source.test.images == images[6:]).all()
        assert source.test.labels.tolist() == [1, 1, 1]
        assert source.test.files == tuple(files)[6:]
        assert ["no image of class 'cat'" in note for note in source.notes] == [True]


@pytest.mark.parametrize("name", ["new\nline", "Ωμέγα", "'\"", "-rf", "C:\\", "%s{}"])
def test_any_name_of_class_and_file(tmp_path, name):
    files = classes(name, "zebra") | {f"{name}/{name}.png": b""}
    source = load(tmp_path, files)
    assert set(source.classes) == {name, "zebra"}
    assert source.unreadable == {f"{name}/{name}.png": "is empty"}
    assert image_folder.summary(source.unreadable).isprintable()


def test_unreadable_files_are_left_out_and_listed_wherever_they_are(tmp_path):
    files = classes(*"abcd", each=5)
    names = sorted(files)
    bad = {names[row]: encoded(files[names[row]])[:-40] for row in (0, 3, 4, 5, 11, 19)}
    bad |= {"a/empty.png": b"", "a/text.png": b"no picture"}
    source = load(tmp_path, files | bad)
    kept = [name for name in names if name not in bad]
    assert set(source.unreadable) == set(bad)
    assert source.train.files == tuple(kept)
    assert (source.train.images == np.stack([files[name] for name in kept])).all()
    assert source.train.labels.tolist() == ["abcd".index(name[0]) for name in kept]
    shown = image_folder.summary(source.unreadable)
    assert shown.startswith("a/0.png is truncated")
    assert "5 more, a/empty.png" in shown


def test_progress_is_shown_only_on_a_terminal(tmp_path, monkeypatch, capfd):
    files = classes("cat", "dog")
    load(tmp_path, files)
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    load(tmp_path, files)
    assert "reading images: 100%" in sys.stderr.getvalue()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"owl/1.png": b""}, "'owl' .*owl/1.png is empty"),
        ({"owl/1.png": encoded(pixels())[:-40]}, "'owl' .*owl/1.png is truncated"),
        ({"owl/notes.txt": b"x"}, "'owl'"),
        (dict.fromkeys(classes("cat", "dog"), b""), "'cat' .*cat/0.png is empty"),
        ({"owl/1.png": pixels(width=10)}, r"8 x 9 and 8 x 10 .*owl/1\.png.*data\.image_size"),
        (classes("cat", "dog", height=7, width=20), "7 x 20"),
        (classes("cat", "dog", height=1025, width=20), "1025 x 20"),
    ],
)
def test_refused_in_one_sentence(tmp_path, files, expected):
    with refused(f"pets.*{expected}"):
        load(tmp_path, classes("cat", "dog") | files)


def test_mixed_sizes_are_resized_to_one(tmp_path):
    files = classes("cat", "dog") | {"cat/x.png": pixels(height=20, width=30)}
    source = load(tmp_path, files, image_size=[8, 9], resize="stretch")
    assert source.train.images.shape == (7, 8, 9, 1)
    assert (source.train.images[0] == files["cat/0.png"]).all()
    assert "1 of 7 images" in source.notes[0]


RED = np.full((8, 9, 3), [200, 0, 0], np.uint8)
GREY = np.full((8, 9, 3), 90, np.uint8)


@pytest.mark.parametrize(
    ("extra", "channels", "expected"),
    [
        (RED, None, 3), (RED, "rgb", 3), (RED, "gray", 1),
        (GREY, None, 1), (GREY, "rgb", 3), (GREY, "gray", 1),
    ],
)  # fmt: skip
def test_channels_follow_the_setting_or_the_pixels(tmp_path, extra, channels, expected):
    files = classes("cat", "dog")
    source = load(tmp_path, files | {"dog/x.png": extra}, channels=channels)
    assert source.train.images.shape == (7, 8, 9, expected)
    assert (source.train.images[:6] == np.stack([*files.values()])).all()
    lightness = round(0.299 * 200) if expected == 1 else [200, 0, 0]
    assert (source.train.images[6] == (lightness if extra is RED else 90)).all()


def test_order_and_pixels_do_not_come_from_the_threads(tmp_path, monkeypatch):
    files = classes("cat", "dog", each=9)
    monkeypatch.setattr(image_folder, "BLOCK", 1)
    source = load(tmp_path, files)
    assert source.train.files == tuple(files)
    assert (source.train.images == np.stack([*files.values()])).all()


def test_the_pixels_are_on_disk_not_in_memory(tmp_path):
    made = classes("a", "b", height=128, width=128, each=40)
    files = {name: encoded(array) for name, array in made.items()}
    files |= {"a/0.png": files["a/0.png"][:-400]}  # so that a gap is closed
    tree(tmp_path / "pets", files)
    tracemalloc.start()
    source = data.load(Data(source="pets", channels="rgb"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.train.images.shape == (79, 128, 128, 3)
    assert peak < 0.5 * source.train.images.nbytes


def test_12_bits_in_files_of_16_are_recognised_and_reported(tmp_path):
    random = np.random.default_rng(0)
    wide = {
        f"{name}/{n}.png": random.integers(0, 4096, (8, 9), np.uint16)
        for name in ("cat", "dog")
        for n in "12"
    }
    source = load(tmp_path, wide)
    assert source.bits == 12
    assert "12 bits" in source.notes[0]
    assert source.train.images.max() > 250
    assert load(tmp_path, wide, bits=16).train.images.max() == 16
    with pytest.raises(UserError, match="more than 10 bits"):
        load(tmp_path, wide, bits=10)


@pytest.mark.parametrize("narrow", ["a", "c"])
def test_bits_do_not_depend_on_which_file_is_first(tmp_path, narrow):
    wide = np.random.default_rng(0).integers(0, 4096, (8, 9), np.uint16)
    source = load(tmp_path, classes(narrow) | {"b/1.png": wide, "b/2.png": wide // 2})
    assert source.bits == 12
    assert source.train.images[source.train.files.index("b/1.png")].max() > 240


def test_a_note_on_bits_needs_a_file_that_they_change(tmp_path):
    files = classes("cat", "dog") | {"cat/wide.png": np.full((8, 9), 4095, np.uint16)}
    assert load(tmp_path / "wide", files, bits=12).notes
    assert load(tmp_path / "narrow", classes("cat", "dog"), bits=12).notes == ()


def test_fewer_bits_in_several_channels_are_left_out(tmp_path):
    files = classes("cat", "dog") | {"cat/deep.png": deep_png(np.full((8, 9, 3), 4095))}
    assert "16 bits" in load(tmp_path, files, bits=12).unreadable["cat/deep.png"]
    assert load(tmp_path, files).unreadable == {}


def test_a_damaged_first_file_says_nothing_about_bits(tmp_path):
    source = load(tmp_path, classes("cat", "dog") | {"cat/0.png": b"no picture"})
    assert (source.bits, source.notes) == (16, ())


def test_a_pattern_names_the_classes_of_a_flat_folder(tmp_path):
    files = {f"{name}.{n}.png": pixels(n) for name in ("cat", "dog") for n in range(3)}
    source = load(tmp_path, files, label_pattern=r"^(cat|dog)\.")
    assert source.classes == ("cat", "dog")
    assert source.train.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_files_of_one_type_are_counted_and_not_listed_one_by_one(tmp_path):
    drawings = {f"cat/{number}.svg": b"<svg/>" for number in range(9)}
    shown = image_folder.summary(load(tmp_path, classes("cat", "dog") | drawings).unreadable)
    assert "cat/0.svg" in shown
    assert "8 more" in shown
    assert shown.count(".svg") == 2


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "HEIF"])
def test_modern_formats(tmp_path, kind):
    photo = np.full((16, 16, 3), 120, np.uint8)
    files = {
        f"{name}/{n}.{kind.lower()}": encoded(photo + n, kind)
        for name in ("a", "b")
        for n in (0, 9)
    }
    assert len(load(tmp_path, files).train.images) == 4
