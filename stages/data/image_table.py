"""A user's CSV file with one value for each image: its group, or its corrected label."""

import csv

from stages import files
from stages.data import label_file
from stages.data.listing import nfc
from stages.data.source import Source
from stages.errors import UserError


def read(
    setting: str, given: str, key: str, value: str, may_be_empty: bool = False
) -> dict[str, str]:
    """Return image -> text in the column `value`, from a CSV file; other columns are ignored.

    Both are in Unicode form NFC, and the text is stripped of blanks.

    Args:
        setting: the name of the setting that names the file, for messages.
        given: its value, the path of the file.
        key: the column that names the image, `file` or `row`.
        value: "group" or "label".
        may_be_empty: whether a cell of that column may be empty.

    Raises:
        UserError: for a missing file, a wrong header, and an image that occurs twice or has no
            value.
        OSError: when the file cannot be read.
    """
    path = files.find(given)
    if not path.is_file():
        raise UserError(f"{setting}: {given} is not a file; give a CSV file or null.")
    cells: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=label_file.delimiter(path))
            header = reader.fieldnames or ()
            if not {key, value} <= {*header}:
                raise UserError(
                    f"{setting}: {given} has the columns {','.join(header)!r}; this source needs "
                    f"{key!r} and {value!r}."
                )
            for row in reader:
                name, cell = (text and nfc(text) for text in (row[key], row[value]))
                cell = cell and cell.strip()
                is_complete = name and (cell or (may_be_empty and cell == "")) and None not in row
                if name in cells or not is_complete:
                    incomplete = f"does not have one {key} and one {value}"
                    problem = "occurs twice" if name in cells else incomplete
                    raise UserError(
                        f"{setting}: {given}, line {reader.line_num}: {name!r} {problem}; give "
                        f"each image one {value}."
                    )
                cells[name] = cell
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{setting}: {given} is not a CSV file in UTF-8 ({error}); save it as one."
        ) from None
    return cells


def names(source: Source) -> tuple[str, list[str]]:
    """Return the column that names a source's images, and the name of each, training images first.

    The column is `file`, or `row` if the images are not separate files. Rows count from 0 in the
    source as it was read, before `data.corrections` dropped any.
    """
    if source.train.files is not None:
        return "file", [name for split in source.splits for name in split.files or ()]
    if source.train.rows is None:
        return "row", [str(row) for row in range(sum(len(one.labels) for one in source.splits))]
    return "row", [str(row) for one in source.splits if one.rows is not None for row in one.rows]
