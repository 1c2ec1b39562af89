"""A user's own .npz file."""

import zipfile

import numpy as np
import pytest

from stages import data
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn
from tests.refusals import refused

IMAGES = np.stack([drawn.pixels(seed, channels=3) for seed in range(6)])
LABELS = np.array([0, 1, 1, 0, 2, 2])


class Alarm:
    """An object that fails the test when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


def load(**arrays):
    np.savez_compressed("mine.npz", **arrays)
    return data.load(Data(source="mine.npz"))


@pytest.mark.parametrize("kind", ["u1", "u2", "i8", ">u4", "f2", "f8", ">f4"])
@pytest.mark.parametrize("order", "CF")
def test_four_arrays_of_any_type_and_order_are_training_and_test(kind, order):
    images = np.asarray(IMAGES, kind, order=order)
    source = load(x_train=images, y_train=LABELS, x_test=images[:2], y_test=LABELS[:2], other=1)
    assert (source.train.images == IMAGES).all()
    assert (source.test.images == IMAGES[:2]).all()
    assert source.train.labels.tolist() == LABELS.tolist()
    assert source.test.labels.tolist() == [0, 1]
    assert (source.name, source.classes) == ("mine.npz", ("0", "1", "2"))


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train"),
        ("images", "labels"),
        ("X", "y"),
        ("X_train", "Y_train"),
        ("data", "target"),
        ("train_images", "train_labels"),
    ],
)
def test_two_arrays_have_no_test_set(names):
    arrays = IMAGES[..., 0], np.array(["no", "yes"])[LABELS // 2]
    source = load(**dict(zip(names, arrays, strict=True)))
    assert (source.train.images == IMAGES[..., :1]).all()
    assert source.classes == ("no", "yes")
    assert source.test is None


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({}, "nothing"),
        ({"x": IMAGES, "z": LABELS}, "'x', 'z'"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, "both or neither"),
        ({"images": IMAGES, "labels": LABELS[:5]}, "6 images"),
        ({"images": IMAGES[:, :7], "labels": LABELS}, "7 x 9"),
        ({"images": IMAGES.astype(object), "labels": LABELS}, "Object arrays"),
        ({"images": IMAGES, "labels": np.array([Alarm()] * 6)}, "Object arrays"),
    ],
)
def test_other_arrays_are_refused(arrays, expected):
    with pytest.raises(UserError, match=f"mine.*{expected}"):
        load(**arrays)


@pytest.mark.parametrize(
    ("validation", "counts"), [("train", (5, 1)), ("test", (4, 2)), ("ignore", (4, 1))]
)
def test_validation_arrays_go_where_the_setting_says(validation, counts):
    parts = {"train": slice(4), "val": slice(4, 5), "test": slice(5, 6)}
    arrays = {f"{name}_images": IMAGES[part] for name, part in parts.items()}
    arrays |= {f"{name}_labels": LABELS[part] for name, part in parts.items()}
    arrays["train_labels"] = np.arange(4) % 3
    np.savez("mine.npz", **arrays)
    source = data.load(Data(source="mine.npz", validation=validation))
    assert (len(source.train.images), len(source.test.images)) == counts
    assert any("val_images" in note for note in source.notes)


def test_damage_is_refused_in_one_sentence(tmp_path):
    np.savez("mine.npz", images=IMAGES, labels=LABELS)
    whole = (tmp_path / "mine.npz").read_bytes()
    for content, reason in (
        (b"", "not a zip file"),
        (whole[:-40], "not a zip file"),
        (whole.replace(IMAGES.tobytes(), IMAGES.tobytes()[::-1]), "Bad CRC-32"),
        (b"PK\x05\x06" + bytes(18), "has nothing"),
    ):
        (tmp_path / "mine.npz").write_bytes(content)
        with refused(rf"mine\.npz .*{reason}"):
            data.load(Data(source="mine.npz"))


@pytest.mark.parametrize("count", [b"99999999", b"9" * 15])
def test_a_header_that_promises_more_than_is_there_is_refused(count):
    np.savez("mine.npz", images=IMAGES, labels=LABELS)
    with zipfile.ZipFile("mine.npz") as archive:
        raw = archive.read("images.npy")
    with zipfile.ZipFile("mine.npz", "a") as archive, pytest.warns(match="Duplicate name"):
        archive.writestr("images.npy", raw.replace(b"(6, 8, 9, 3)", b"(%b, 8, 9, 3)" % count))
    with pytest.raises(UserError, match=r"mine\.npz cannot be read"):
        data.load(Data(source="mine.npz"))
