"""CSV files of pixels."""

import numpy as np
import pytest

from stages.data import paths, pixel_csv
from stages.settings.sections import Data
from tests import drawn

IMAGES = np.stack([drawn.pixels(seed, width=8) for seed in range(5)])
LABELS = ["7", "2", "7", "2", "5"]


def table(images=IMAGES, labels=LABELS, at=0, form="{}"):
    """Write images as CSV, with the label in column `at`."""
    rows = [[form.format(pixel) for pixel in image.ravel()] for image in images]
    header = [f"{1 + pixel // 8}x{1 + pixel % 8}" for pixel in range(len(rows[0]))]
    rows = [header, *rows]
    for row, label in zip(rows, ["label", *labels], strict=True):
        row.insert(at, label)
    return "\n".join(map(",".join, rows)) + "\n"


def load(top, text, **settings):
    (top / "mine.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths.load(top / "mine.csv", Data(source="mine.csv", **settings))


@pytest.mark.parametrize("at", [0, 30, 64])
@pytest.mark.parametrize("lines", [1, 2, 1000])
def test_pixels_and_labels_are_read_wherever_the_label_stands(tmp_path, monkeypatch, at, lines):
    monkeypatch.setattr(pixel_csv, "LINES", lines)
    source = load(tmp_path, table(at=at))
    assert (source.train_images == IMAGES).all()
    assert source.train_images.dtype == np.uint8
    assert source.classes == ("2", "5", "7")
    assert source.train_labels.tolist() == [2, 0, 2, 0, 1]
    assert source.test_images is None


@pytest.mark.parametrize(
    "text",
    [
        table().replace("\n", "\r\n"),
        table() + "\n \n",
        table().rstrip("\n"),
        "\ufeff" + table(),
        table().replace(",", " , "),
        table(form='"{}"'),
        table(form="{}.0"),
        table(form="{}e0"),
    ],
)
def test_the_ways_in_which_programs_write_csv(tmp_path, text):
    source = load(tmp_path, text)
    assert (source.train_images == IMAGES).all()
    assert source.classes == ("2", "5", "7")


def test_labels_may_be_text_with_commas(tmp_path):
    source = load(tmp_path, table(labels=['"cat, big"', "dog", "Ö", "dog", "dog"]))
    assert source.classes == ("cat, big", "dog", "Ö")


def test_a_text_among_numbers_makes_all_of_them_text(tmp_path):
    assert load(tmp_path, table(labels=["10", "9", "a", "9", "9"])).classes == ("10", "9", "a")


def test_pixels_of_0_to_1_are_recognised_also_when_the_first_rows_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_csv, "LINES", 2)
    images = IMAGES / 255
    images[:2] = images[:2].round()
    source = load(tmp_path, table(images))
    assert source.notes[0] == "Pixels from 0 to 1 were multiplied by 255 and rounded."
    assert (source.train_images == (images * 255).round()).all()


def test_settings_say_height_and_width_and_colour(tmp_path):
    wide = np.stack([drawn.pixels(seed, 8, 16, 3) for seed in range(5)])
    source = load(tmp_path, table(wide), image_size=[8, 16], channels="rgb")
    assert (source.train_images == wide).all()
    square = wide[:, :, :8]
    assert (load(tmp_path, table(square), channels="rgb").train_images == square).all()


def test_a_folder_holds_training_and_test(tmp_path):
    drawn.tree(tmp_path / "mine", {"train.csv": table().encode()})
    data = Data(source="mine")
    assert paths.load(tmp_path / "mine", data).test_images is None
    drawn.tree(tmp_path / "mine", {"test.csv": table(IMAGES[:1], ["5"]).encode()})
    source = paths.load(tmp_path / "mine", data)
    assert (source.test_images == IMAGES[:1]).all()
    assert source.test_labels.tolist() == [1]
    (tmp_path / "mine/train.csv").unlink()
    with pytest.raises(ValueError, match=r"has no train\.csv"):
        paths.load(tmp_path / "mine", Data(source="mine", format="csv"))


def replaced(row, column, cell):
    rows = [line.split(",") for line in table().splitlines()]
    rows[row][column] = cell
    return "\n".join(map(",".join, rows))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "begins with the columns none, of which 0 are named 'label'"),
        ("a,b\n1,2\n", "begins with the columns 'a', 'b', of which 0 are named 'label'"),
        ("label,label\n1,2\n", "of which 2 are named"),
        ("label\n1\n", "has 0 columns of pixels"),
        (table().splitlines()[0], "has no row of pixels"),
        (table(IMAGES[:, :, :7]), "has 56 columns of pixels, but 7 x 7 pixels of 1 channel need"),
        (table(IMAGES[:, :4, :4]), "images of 4 x 4 pixels; give images of 8 to"),
        (table() + "1,2\n", "has 2 cells in row 6, but the header has 65"),
        (replaced(3, 1, "1,2"), "has 66 cells in row 3, but the header has 65"),
        (replaced(2, 5, "dark"), "has 'dark' in row 2, column '1x5'"),
        (replaced(2, 5, ""), "has '' in row 2, column '1x5'"),
        (replaced(2, 5, "nan"), "NaN or infinite, first in image 1"),
        (replaced(2, 5, "1e999"), "NaN or infinite, first in image 1"),
        (replaced(2, 5, "256"), r"pixels from \d\.0 to 256\.0"),
        (replaced(2, 5, "-1"), r"pixels from -1\.0 to"),
        (replaced(2, 5, "0.5"), "whole numbers"),
        (replaced(2, 5, "0x10"), "column '1x5'"),
        (replaced(2, 0, "-1"), "label of image 1 is -1"),
        (replaced(2, 0, ""), "label of image 1 is empty"),
        (replaced(2, 0, "x" * 100), "a label of 100 characters or more"),
        (replaced(2, 0, "9" * 30), "label"),
        (table(IMAGES[:1], ["1"]), "two or more"),
        (b"label,a\n\xff,1\n", "UTF-8"),
        (b"PK\x03\x04" + bytes(range(256)), "UTF-8"),
        ('label,"' + "a" * 200_000 + '"\n', "not CSV"),
    ],
)
def test_refused_in_one_sentence(tmp_path, text, expected):
    with pytest.raises(ValueError, match=expected) as refusal:
        load(tmp_path, text)
    assert "\n" not in str(refusal.value)
