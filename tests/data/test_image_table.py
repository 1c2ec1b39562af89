"""A user's CSV file with one cell per image; see also test_groups.py and test_corrections.py."""

from pathlib import Path

import numpy as np
import pytest

from stages.data import image_table
from stages.data.source import Source, Split
from stages.errors import UserError


def source(**train) -> Source:
    images, labels = np.zeros((2, 2, 2, 1), np.uint8), np.zeros(2, np.int64)
    test = {key: value + 2 for key, value in train.items()}
    return Source(
        "a", "none", ("b", "c"), Split(images, labels, **train), Split(images, labels, **test)
    )


def test_rows_are_those_of_the_source_as_it_was_read():
    assert image_table.names(source()) == ("row", ["0", "1", "2", "3"])
    assert image_table.names(source(rows=np.array([0, 5]))) == ("row", ["0", "5", "2", "7"])


@pytest.mark.parametrize(("line", "may_be_empty"), [("a.png", True), ("a.png,", False)])
def test_a_missing_cell_is_refused_and_an_empty_one_where_it_means_nothing(line, may_be_empty):
    Path("table.csv").write_text(f"file,label\nb.png,cat\n{line}\n")
    with pytest.raises(UserError, match=r"^setting: table\.csv, line 3: 'a\.png'"):
        image_table.read("setting", "table.csv", "file", "label", may_be_empty)
    Path("table.csv").write_text("file,group\nb.png,cat\na.png, \n")
    with pytest.raises(UserError, match=r"'a\.png' does not have one file and one group"):
        image_table.read("setting", "table.csv", "file", "group")
    Path("table.csv").write_text("label,file\n,a.png\n")
    assert image_table.read("setting", "table.csv", "file", "label", True) == {"a.png": ""}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_cells_may_be_separated_as_in_tables_of_labels(delimiter):
    Path("table.csv").write_text("file,group\na.png,b\n".replace(",", delimiter))
    assert image_table.read("setting", "table.csv", "file", "group") == {"a.png": "b"}
