"""CSV files of pixels."""

import numpy as np
import pytest

from stages import data
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn
from tests.drawn import table
from tests.refusals import refused

IMAGES = np.stack([drawn.pixels(seed, width=8) for seed in range(5)])
LABELS = ["7", "2", "7", "2", "5"]
TABLE = table(IMAGES, LABELS)


def load(top, text, **settings):
    (top / "mine.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return data.load(Data(source="mine.csv", **settings))


@pytest.mark.parametrize(
    "text",
    [
        *(table(IMAGES, LABELS, at=at) for at in (0, 30, 64)),
        TABLE.replace("\n", "\r\n") + "\n \n",
        TABLE.rstrip("\n"),
        "\ufeff" + TABLE,
        TABLE.replace(",", " , "),
        *(table(IMAGES, LABELS, form=form) for form in ('"{}"', "{}.0", "{}e0")),
    ],
)
def test_programs_write_csv_in_many_ways(tmp_path, text):
    source = load(tmp_path, text)
    assert (source.train.images == IMAGES).all()
    assert source.train.images.dtype == np.uint8
    assert source.classes == ("2", "5", "7")
    assert source.train.labels.tolist() == [2, 0, 2, 0, 1]
    assert source.test is None


def test_labels_may_be_text_and_one_text_makes_all_of_them_text(tmp_path):
    labels = ['"cat, big"', "10", "9", "Ö", "9"]
    assert load(tmp_path, table(IMAGES, labels)).classes == ("10", "9", "cat, big", "Ö")


def test_labels_that_only_python_takes_for_numbers_stay_as_they_are(tmp_path):
    labels = ["1_1" if label == LABELS[0] else "11" for label in LABELS]
    assert load(tmp_path, table(IMAGES, labels)).classes == ("11", "1_1")


def test_pixels_of_0_to_1_are_recognised_even_if_the_first_rows_are_whole_numbers(tmp_path):
    images = IMAGES / 255
    images[:2] = images[:2].round()
    source = load(tmp_path, table(images, LABELS))
    assert len(source.notes) == 2  # of scale and labels
    assert (source.train.images == (images * 255).round()).all()


def test_settings_say_height_and_width_and_colour(tmp_path):
    wide = np.stack([drawn.pixels(seed, 8, 16, 3) for seed in range(5)])
    source = load(tmp_path, table(wide, LABELS), image_size=[8, 16], channels="rgb")
    assert (source.train.images == wide).all()
    square = wide[:, :, :8]
    assert (load(tmp_path, table(square, LABELS), channels="rgb").train.images == square).all()


def test_a_folder_holds_training_and_test(tmp_path):
    drawn.tree(tmp_path / "mine", {"train.csv": TABLE.encode()})
    assert data.load(Data(source="mine")).test is None
    drawn.tree(tmp_path / "mine", {"test.csv": table(IMAGES[:1], ["5"]).encode()})
    source = data.load(Data(source="mine"))
    assert (source.test.images == IMAGES[:1]).all()
    assert source.test.labels.tolist() == [1]
    other = table(IMAGES[:1], ["5"]).replace("label", "Label").encode()
    drawn.tree(tmp_path / "mine", {"test.csv": other})
    assert len(data.load(Data(source="mine")).test.images) == 1
    unlabelled = table(IMAGES[:1], [""]).replace("label", "id").encode()
    drawn.tree(tmp_path / "mine", {"test.csv": unlabelled})
    source = data.load(Data(source="mine"))
    assert source.test is None
    assert [note for note in source.notes if "test.csv" in note and "predict" in note]
    (tmp_path / "mine/train.csv").unlink()
    with pytest.raises(UserError, match=r"has no train\.csv"):
        data.load(Data(source="mine", format="csv"))


def replaced(row, column, cell):
    rows = [line.split(",") for line in TABLE.splitlines()]
    rows[row][column] = cell
    return "\n".join(map(",".join, rows))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "CSV"),
        ("label\n1\n", r"only 'label'; set data\.file_column"),
        (TABLE.splitlines()[0], "no row"),
        (TABLE.split("\n", 1)[1], "numbers in its first line"),
        (table(IMAGES[:, :, [*range(8), 0]], LABELS), r"72 columns .*data\.image_size"),
        (TABLE + "1,2\n", "2 cells in row 6, .*65"),
        (replaced(2, 5, "1,2"), "66 cells in row 2, .*65"),
        (replaced(2, 5, "dark"), "'dark' in row 2, column 'p4'"),
        *((replaced(2, 5, cell), f"image 1 .*{cell}") for cell in ("nan", "256", "-1")),
        (replaced(2, 5, "1e999"), "image 1 .*inf"),
        (replaced(2, 0, "x" * 100), "100 characters"),
        (replaced(2, 0, "9" * 30), "label"),
        (replaced(2, 5, "1_0"), "cannot be read"),  # a number for Python, but not for NumPy
        (b"label,a\n" + b"1,2\n" * 9000 + b"\xff,1\n", "UTF-8"),
        ('label,"' + "a" * 200_000 + '"\n', "CSV"),
    ],
)
def test_an_invalid_table_is_refused(tmp_path, text, expected):
    with refused(f"mine.*{expected}"):
        load(tmp_path, text)
