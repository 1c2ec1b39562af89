"""Corrections of labels: a user's CSV file that changes labels, or drops images, after reading."""

import csv
from dataclasses import replace

import numpy as np

from stages import files
from stages.data.source import Source, Split, check
from stages.errors import UserError

REMOVE = ("", "remove")  # instead of a label


def apply(given: str, source: Source) -> Source:
    """Return the source with the labels in `given`, a CSV file with the columns `file,label`.

    The columns are `row,label` if the images are not separate files; rows count from 0, training
    images first, then test images. Other columns do not matter. An empty label or `remove` drops
    the image, unless a class has that name.

    Raises:
        UserError: for a missing file, another header, an image that is unknown or occurs twice, an
            unknown class, or a class that loses all its training images.
    """
    splits = [source.train, source.test] if source.test else [source.train]
    count = len(source.train.labels)
    labels = np.concatenate([split.labels for split in splits])
    column, names = "row", [str(row) for row in range(len(labels))]
    if source.train.files is not None:
        column, names = "file", [name for split in splits for name in split.files or ()]
    row_of = {name: row for row, name in enumerate(names)}
    number_of = {name: number for number, name in enumerate(source.classes)}
    kept = np.ones(len(labels), bool)
    changed = 0
    corrections = _table(given, column)
    for name, label in corrections.items():
        if name not in row_of:
            raise UserError(
                f"data.corrections: {given} names the {column} {name!r}, which {source.name} does "
                "not have; remove or correct that line."
            )
        row = row_of[name]
        if label in number_of:
            changed += int(labels[row] != number_of[label])
            labels[row] = number_of[label]
        elif label in REMOVE:
            kept[row] = False
        else:
            raise UserError(
                f"data.corrections: {given} gives the {column} {name!r} the label {label!r}; "
                f"classes are {', '.join(source.classes)}, and an empty label drops the image."
            )
    dropped = np.flatnonzero(~kept)
    parts = [slice(0, count), slice(count, len(labels))]
    if any(not kept[part].any() for part, _ in zip(parts, splits, strict=False)):
        raise UserError(f"data.corrections: {given} drops all images of a split; leave some.")
    corrected = [
        _corrected(split, labels[part], kept[part], part.start)
        for split, part in zip(splits, parts, strict=False)
    ]
    in_test = sum(row_of[name] >= count for name in corrections) if source.test else 0
    note = f"data.corrections: labels changed: {changed:,}, images dropped: {len(dropped):,}"
    note += f", test images among them: {in_test:,}." if in_test else "."
    removed = {names[row]: "dropped by data.corrections" for row in dropped.tolist()}
    result = check(
        replace(
            source,
            train=corrected[0],
            test=corrected[1] if source.test else None,
            unreadable=source.unreadable | removed,
            notes=(*source.notes, note),
        )
    )
    return replace(result, notes=tuple(dict.fromkeys(result.notes)))  # some were there before


def _corrected(split: Split, labels: np.ndarray, kept: np.ndarray, start: int) -> Split:
    """Return the kept images, which remember their rows in the source."""
    rows = np.flatnonzero(kept)
    names = split.files and tuple(split.files[row] for row in rows.tolist())
    images = split.images if kept.all() else split.images[rows]
    sizes = None if split.sizes is None else split.sizes[rows]
    return Split(images, labels[rows], names, start + rows, sizes)


def _table(given: str, column: str) -> dict[str, str]:
    """Read image -> label from the CSV file."""
    path = files.find(given)
    if not path.is_file():
        raise UserError(f"data.corrections: {given} is not a file; give a CSV file or null.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _labels(csv.DictReader(file), given, column)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"data.corrections: {given} is not a CSV file in UTF-8 ({error}); save it as one."
        ) from None


def _labels(reader: csv.DictReader, given: str, column: str) -> dict[str, str]:
    label_of: dict[str, str] = {}
    header = reader.fieldnames or ()
    if not {column, "label"} <= {*header}:
        raise UserError(
            f"data.corrections: {given} has the columns {','.join(header)!r}; this source "
            f"needs {column!r} and 'label'."
        )
    for row in reader:
        name = row[column]
        if name in label_of or not name or row["label"] is None or None in row:
            problem = "occurs twice" if name in label_of else "is not a line of that header"
            raise UserError(
                f"data.corrections: {given}, line {reader.line_num}: {name!r} {problem}; give "
                "each image one label."
            )
        label_of[name] = row["label"].strip()
    return label_of
