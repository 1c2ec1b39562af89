"""User source: a folder of images and a CSV file that gives the label of each."""

import csv
import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from stages.data import image_folder, listing
from stages.data.source import Source
from stages.errors import UserError
from stages.files import find
from stages.settings.sections import SIDES, Data

DESCRIPTION = (
    "a CSV file with the columns file,label beside the images, or the folder that holds both"
)
FILE = (
    "file", "filename", "file_name", "path", "filepath", "file_path", "image", "image_path",
    "image_name", "image_file", "img_path", "image_id", "img", "id", "name",
)  # fmt: skip
AMBIGUOUS = {"id", "name"}  # they may hold numbers of rows, or something else
DELIMITERS = ",;\t"
LABEL = ("label", "class", "target", "category", "class_name", "label_name", "y")
PIXELS = SIDES[0] ** 2  # a table with this many columns holds pixels, not names of files


def recognises(path: Path, data: Data) -> bool:
    """Return whether this is a CSV file of too few columns for pixels, or a folder with one.

    In a folder it must have known columns, or be the only one beside images.
    """
    if not path.is_dir():
        return _is_table(path) and len(columns(path)) < PIXELS
    images = any(listing.suffix(child.name) in listing.SUFFIXES for child in path.iterdir())
    few = [table for table in _csv_files(path, data) if len(columns(table)) < PIXELS]
    only = images and len(few) == 1 and not listing.has_folders(path)
    return only or bool(_tables(path, data))


def files(path: Path, data: Data) -> list[Path]:
    """Return the CSV file and the image files that it names."""
    table, top = _table_and_top(path, data)
    return [table, *(top / file for *_, file in listed(path, data).rows)]


def load(path: Path, data: Data) -> Source:
    """Read the images that the CSV file names; classes are its labels, sorted."""
    return image_folder.read(_table_and_top(path, data)[1], listed(path, data), data)


def listed(path: Path, data: Data) -> listing.Listing:
    """List the images that the CSV file names, with their labels.

    A cell may be the path below the CSV's folder or the file name alone, with or without suffix.

    Raises:
        UserError: for missing columns, a line without a label, or a line whose file is missing,
            named twice, or outside the folder.
    """
    path, top = _table_and_top(path, data)
    table = _read(path)
    label_column = column(path, [*table], "label_column", data.label_column)
    file_column = _file_column(path, table, label_column, data)
    candidates = _by_name(top, data)
    label_of: dict[str, str] = {}
    cells = zip(table[file_column].str.strip(), table[label_column].str.strip(), strict=True)
    for line, (cell, label) in enumerate(cells, 2):
        found = candidates.get(listing.nfc(os.path.normpath(cell)), ())
        if not cell or not label:
            problem = f"has no {file_column if not cell else label_column}"
        elif not found:
            fault = "but there is no such image in"
            if os.path.isabs(cell):
                fault = "an absolute path, which must be relative to"
            elif os.path.normpath(cell).startswith("../"):
                fault = "which is not a path below"
            problem = f"names {cell!r}, {fault} {top}"
        elif len(found) > 1:
            problem = f"names {cell!r}, which may be {found[0]} or {found[1]}"
        elif found[0] in label_of:
            problem = f"names {cell!r} again"
        else:
            label_of[found[0]] = listing.nfc(label)
            continue
        raise UserError(f"{path}, line {line}, {problem}; correct or remove it.")
    if not label_of:
        raise UserError(f"{path} has no line below the header; give one per image.")
    classes = tuple(sorted({*label_of.values()}, key=order))
    number = {name: label for label, name in enumerate(classes)}
    rows = sorted(("train", number[label], file) for file, label in label_of.items())
    notes = listing.alike(classes)
    unlabelled = {file for found in candidates.values() for file in found} - {*label_of}
    if unlabelled:
        notes.append(f"Images without a line in {path.name} are not used: {len(unlabelled):,}.")
    return listing.Listing(classes, (), rows, {}, tuple(notes))


def _file_column(path: Path, table: pd.DataFrame, label_column: str, data: Data) -> str:
    """Return the column of files: that of the settings, or the first with a known name.

    If there is none, or only an AMBIGUOUS one, whose row numbers could be taken for files of other
    rows, it is the column in which every cell is the name of an image file, if there is one.
    """
    names, others = [*table], table.drop(columns=label_column)
    known = {name.casefold() for name in names} & {*FILE}
    if not data.file_column and known <= AMBIGUOUS:
        suffixes = others.map(lambda cell: listing.suffix(cell.strip()))
        are_files = suffixes.isin(listing.SUFFIXES).all() & (len(table) > 0)
        if named := [name for name in others if are_files[name]]:
            return column(path, named, "file_column", named[0] if len(named) == 1 else None)
    return column(path, names, "file_column", data.file_column)


def columns(path: Path) -> list[str]:
    """Return the column names of a CSV file; none if it is not one."""
    try:
        return [*_read(path, rows=0).columns]
    except (UserError, OSError):
        return []


def delimiter(path: Path) -> str:
    """Return the most common of DELIMITERS in the first line of a file of UTF-8 text."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return max(DELIMITERS, key=file.readline().count)


def _read(path: Path, rows: int | None = None) -> pd.DataFrame:
    """Read a CSV file as text, with commas, semicolons or tabs between columns."""
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            return pd.read_csv(
                path, sep=delimiter(path), engine="python", encoding="utf-8-sig", nrows=rows,
                dtype=str, keep_default_na=False, skipinitialspace=True, index_col=False,
            ).fillna("").rename(columns=str.strip)  # fmt: skip
    except pd.errors.ParserWarning:
        raise UserError(
            f"{path} has more cells in a line than in its header; correct it."
        ) from None
    except (ValueError, csv.Error) as error:  # those of pandas and UTF-8 are ValueErrors too
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} is not a CSV file in UTF-8 ({reason}); correct it.") from None


def column(path: Path, names: Sequence[str], setting: str, given: str | None) -> str:
    """Return the column that the setting names, or the first of the known names.

    `setting` is "file_column" or "label_column", and `given` its value. Case does not matter.
    """
    known = {"file_column": FILE, "label_column": LABEL}[setting]
    own = {name.casefold(): name for name in names}
    wanted = [given.casefold()] if given else known
    if found := [own[name] for name in wanted if name in own]:
        return found[0]
    asked = f"no column {given!r}" if given else f"none of the columns {', '.join(known)}"
    shown = ", ".join([*map(repr, names[:8])] + ["..."] * (len(names) > 8))
    raise UserError(
        f"{path} has {asked}, only {shown or 'none'}; set data.{setting} to the right one."
    )


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv") and path.is_file()


def _csv_files(folder: Path, data: Data) -> list[Path]:
    """Return the CSV files in a folder, sorted, except that of `data.corrections`."""
    corrections = data.corrections and find(data.corrections).resolve()
    found = filter(_is_table, sorted(folder.iterdir()))
    return [path for path in found if path.resolve() != corrections]


def _tables(folder: Path, data: Data) -> list[Path]:
    """Return the CSV files in a folder that have a column of files and one of labels."""
    asked = ((data.file_column, FILE), (data.label_column, LABEL))
    wanted = [{given.casefold()} if given else {*known} for given, known in asked]
    found = []
    for path in _csv_files(folder, data):
        names = {name.casefold() for name in columns(path)}
        if len(names) < PIXELS and all(names & one for one in wanted):
            found.append(path)
    return found


def _table_and_top(path: Path, data: Data) -> tuple[Path, Path]:
    if not path.is_dir():
        return path, path.parent
    tables = _tables(path, data) or _csv_files(path, data)
    if len(tables) != 1:
        shown = ", ".join(table.name for table in tables) or "none"
        raise UserError(
            f"{path} needs one CSV file with a column of files and one of labels, and has {shown}; "
            "set data.source to the CSV file itself."
        )
    return tables[0], path


def _by_name(top: Path, data: Data) -> dict[str, list[str]]:
    """Return the image files below `top`, by path and by name, each with and without suffix.

    A key that is the path of a file means this file, even if it is the name of others.
    """
    found: dict[str, list[str]] = defaultdict(list)
    of_path: dict[str, list[str]] = defaultdict(list)
    for parts in listing.walk(top, data)[1]:
        file = "/".join(parts)
        if listing.suffix(file) in listing.SUFFIXES and not listing.reason(top / file, top, data):
            path = PurePosixPath(listing.nfc(file))
            of_path[str(path)].append(file)
            for key in {str(path.with_suffix("")), path.name, path.stem}:
                found[key].append(file)
    return found | of_path


def order(name: str) -> tuple[int, int, str]:
    """Return a sort key that puts whole numbers, by value, before other names."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)
