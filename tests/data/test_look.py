"""What is reported about images before they are all decoded."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.data import look as module
from stages.data.look import decoded, is_quick, look, near
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn


def test_facts_of_a_folder(tmp_path):
    files = drawn.classes("train/cat", "train/dog", "test/cat", channels=3)
    files |= {"train/dog/wide.png": drawn.pixels(9, 20, 30), "train/cat/bad.png": b"no picture"}
    files |= {"train/dog/copy.png": files["train/cat/1.png"]}
    found = look(Data(source=str(drawn.tree(tmp_path, files))))
    assert found.classes == ("cat", "dog")
    assert (found.train, found.test) == ([3, 5], [3, 0])
    assert found.sizes.max(axis=0).tolist() == [20, 30]
    assert found.colour
    assert list(found.left_out) == ["train/cat/bad.png"]
    assert found.equal == [["train/cat/1.png", "train/dog/copy.png"]]
    assert found.in_two_classes == found.equal


def test_grey_images_and_arrays(tmp_path):
    assert not look(Data(source=str(drawn.tree(tmp_path / "a", drawn.classes("a", "b"))))).colour
    images = np.stack([drawn.pixels(seed, channels=3) for seed in range(4)])
    np.savez(tmp_path / "mine.npz", images=images, labels=[0, 1, 1, 1])
    found = look(Data(source=str(tmp_path / "mine.npz")))
    assert (found.train, found.test, found.colour) == ([1, 3], [0, 0], True)
    assert found.sizes.tolist() == [[8, 9]]


def test_parquet_files_may_have_images_of_any_size(tmp_path):
    images = [drawn.encoded(drawn.pixels(seed, 9 + seed % 2, 12)) for seed in range(4)]
    pq.write_table(pa.table({"image": [*images, b"x"], "label": [0, 0, 1, 1, 1]}), "mine.parquet")
    found = look(Data(source="mine.parquet"))
    assert found.sizes.tolist() == [[9, 12], [10, 12]] * 2
    assert (found.train, found.colour, found.resizable) == ([2, 2], False, True)
    assert [*found.left_out] == ["mine.parquet/000004"]


def test_a_folder_without_a_readable_image_is_refused(tmp_path):
    files = drawn.tree(tmp_path, {"cat/1.png": b"", "dog/1.png": b"x"})
    with pytest.raises(UserError, match="no readable image"):
        look(Data(source=str(files)))


def test_an_image_of_too_many_pixels_is_not_counted(tmp_path, monkeypatch):
    files = drawn.classes("cat", "dog") | {"cat/huge.png": drawn.pixels(1, 15, 20)}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # from 401 on, Pillow refuses
    found = look(Data(source=str(drawn.tree(tmp_path, files))))
    assert list(found.left_out) == ["cat/huge.png"]
    assert found.train == [3, 3]
    assert found.sizes.max(axis=0).tolist() == [8, 9]


def test_decoded_images_tell_their_colour_and_their_copies(tmp_path):
    grey = drawn.pixels(7, 16, 16).repeat(3, axis=2)
    files = drawn.classes("train/cat", "train/dog", each=3, height=16, width=16)
    files |= {"train/cat/0.png": grey, "train/dog/0.png": drawn.encoded(grey, "BMP")}
    files |= {"train/dog/1.png": drawn.encoded(drawn.pixels(8, 16, 16), "PNG", compress_level=0)}
    files |= {"train/dog/2.png": drawn.encoded(drawn.pixels(8, 16, 16), "PNG", compress_level=9)}
    files |= {f"test/cat/{number}.png": drawn.pixels(9, 16, 16) for number in range(4)}
    settings = Data(source=str(drawn.tree(tmp_path, files)))
    before = look(settings)
    assert (before.colour, before.copies) == (True, [0, 0])  # those of the test set do not count
    after, _ = decoded(settings, before)
    assert (after.colour, after.copies) == (False, [0, 1])


def copies(copied):
    """Return images of noise, and for each `original: copy` a JPEG copy."""
    files = drawn.classes("train/cat", "train/dog", each=6, height=48, width=48)
    for original, copy in copied.items():
        files[copy] = drawn.encoded(files[original], "JPEG", quality=80)
    return files


def test_near_duplicates_are_named_within_and_between_classes_and_splits(tmp_path):
    copied = {"train/cat/0.png": "train/cat/a.jpg", "train/cat/1.png": "train/dog/a.jpg"}
    files = copies(copied | {"train/dog/0.png": "test/dog/a.jpg"})
    files |= {"test/cat/0.png": drawn.pixels(99, 50, 48)}  # of another size
    settings = Data(source=str(drawn.tree(tmp_path, files)))
    found = [*near(decoded(settings, look(settings))[1], settings.resize).values()]
    pairs = [[original, copy] for original, copy in copied.items()]
    across = ["train/dog/0.png", "test/dog/a.jpg"]
    assert found == [[*pairs, across], [pairs[1]], [across]]


def test_small_images_have_no_near_duplicates(tmp_path):
    settings = Data(source=str(drawn.tree(tmp_path, drawn.classes("cat", "dog"))))
    assert not any(near(decoded(settings, look(settings))[1], settings.resize).values())


def test_many_or_large_images_are_left_to_prepare(tmp_path, monkeypatch):
    found = look(Data(source=str(drawn.tree(tmp_path, drawn.classes("cat", "dog", each=5)))))
    assert is_quick(found)
    for name, most in (("NEAR_IMAGES", 9), ("NEAR_PIXELS", 10 * 8 * 9 - 1)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, most)
            assert not is_quick(found)
