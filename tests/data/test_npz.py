"""An .npz file of one's own."""

import zipfile

import numpy as np
import pytest

from stages.data import paths
from stages.settings.sections import Data
from tests import drawn

IMAGES = np.stack([drawn.pixels(seed, channels=3) for seed in range(6)])
LABELS = np.array([0, 1, 1, 0, 2, 2])
NAMED = np.array(["no", "yes"])[LABELS // 2]


class Alarm:
    """An object that would be noticed when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


def load(top, **arrays):
    np.savez_compressed(top / "mine.npz", **arrays)
    return paths.load(top / "mine.npz", Data(source="mine.npz"))


def test_four_arrays_are_training_and_test(tmp_path):
    test = {"x_test": IMAGES[:2], "y_test": LABELS[:2]}
    source = load(tmp_path, x_train=IMAGES, y_train=LABELS, **test)
    assert (source.train_images == IMAGES).all()
    assert (source.test_images == IMAGES[:2]).all()
    assert source.train_labels.tolist() == LABELS.tolist()
    assert (source.name, source.classes) == ("mine.npz", ("0", "1", "2"))


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("images", "labels")])
def test_two_arrays_are_all_there_is(tmp_path, names):
    source = load(tmp_path, **dict(zip(names, (IMAGES[..., 0], NAMED), strict=True)))
    assert (source.train_images == IMAGES[..., :1]).all()
    assert source.classes == ("no", "yes")
    assert source.test_images is None


@pytest.mark.parametrize(
    "images",
    [
        IMAGES.astype(np.int64),
        IMAGES.astype(">u2"),
        np.asfortranarray(IMAGES),
        IMAGES.astype(np.float32),
        (IMAGES / 255).astype(np.float32),
    ],
)
def test_pixels_of_any_numeric_type_are_the_same_pixels(tmp_path, images):
    source = load(tmp_path, images=images, labels=LABELS)
    assert source.train_images.dtype == np.uint8
    assert (source.train_images == IMAGES).all()
    assert len(source.notes) == (images.max() <= 1)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({}, "mine.npz has nothing; give it x_train"),
        ({"x": IMAGES, "y": LABELS}, "mine.npz has 'x', 'y'; give it x_train"),
        ({"x_train": IMAGES, "labels": LABELS}, "has 'labels', 'x_train'; give"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, "both or neither"),
        ({"images": IMAGES, "labels": LABELS[:5]}, "5 labels for 6 images"),
        ({"images": IMAGES[:5], "labels": LABELS}, "6 labels for 5 images"),
        ({"images": IMAGES[:1], "labels": LABELS[:1]}, "two or more"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "two or more"),
        ({"images": IMAGES[:, :7], "labels": LABELS}, "images of 7 x 9 pixels; give images of 8"),
        ({"images": IMAGES[0, :, :, 0], "labels": LABELS}, "have the shape"),
        ({"images": np.moveaxis(IMAGES, 3, 1), "labels": LABELS}, r"\(6, 3, 8, 9\)"),
        ({"images": IMAGES > 9, "labels": LABELS}, "of type bool"),
        ({"images": IMAGES.astype(str), "labels": LABELS}, "of type <U3"),
        ({"images": np.where(IMAGES, np.nan, 1), "labels": LABELS}, "NaN or infinite"),
        ({"images": IMAGES, "labels": LABELS - 1}, "is -1"),
        ({"images": IMAGES.astype(object), "labels": LABELS}, "Python objects, images"),
        ({"images": IMAGES, "labels": np.array([Alarm()] * 6)}, "Python objects, labels"),
    ],
)
def test_refused_in_one_sentence(tmp_path, arrays, expected):
    with pytest.raises(ValueError, match=expected) as refusal:
        load(tmp_path, **arrays)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not an .npz file"),
        (b"not a zip", "not an .npz file"),
        (b"PK\x05\x06" + bytes(18), "has nothing"),
    ],
)
def test_another_file_is_refused(tmp_path, content, expected):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(ValueError, match=expected):
        paths.load(tmp_path / "mine.npz", Data(source="mine.npz"))


def test_a_header_that_promises_more_than_is_there_asks_for_no_memory(tmp_path):
    np.savez(tmp_path / "mine.npz", images=IMAGES, labels=LABELS)
    with zipfile.ZipFile(tmp_path / "mine.npz") as archive:
        raw = archive.read("images.npy")
    with (
        zipfile.ZipFile(tmp_path / "mine.npz", "a") as archive,
        pytest.warns(match="Duplicate name"),
    ):
        archive.writestr("images.npy", raw.replace(b"(6, 8, 9, 3)", b"(99999999, 8, 9, 3)"))
    with pytest.raises(ValueError, match="has a damaged array images"):
        paths.load(tmp_path / "mine.npz", Data(source="mine.npz"))
