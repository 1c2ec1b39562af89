"""Corrections of labels: a user's CSV file that changes labels, or drops images, after reading."""

from dataclasses import replace

import numpy as np

from stages.data import image_table
from stages.data.listing import nfc
from stages.data.source import Source, Split, check, compacted
from stages.errors import UserError

SETTING = "data.corrections"
REMOVE = ("", "remove")  # instead of a label


def apply(given: str, source: Source) -> Source:
    """Return the source with the labels in `given`, a CSV file with the columns `file,label`.

    The columns are `row,label` if the images are not separate files; rows count from 0, training
    images first, then test images. Other columns are ignored. An empty label or `remove` drops the
    image, unless a class has that name.

    Raises:
        UserError: for a missing file, a wrong header, an image that is unknown or occurs twice, an
            unknown class, or a class that loses all its training images.
    """
    splits, count = source.splits, len(source.train.labels)
    labels = np.concatenate([split.labels for split in splits])
    column, names = image_table.names(source)
    row_of = {nfc(name): row for row, name in enumerate(names)}
    number_of = {name: number for number, name in enumerate(source.classes)}
    kept = np.ones(len(labels), bool)
    changed = in_test = 0
    for name, label in table(given, column).items():
        if name not in row_of:
            raise UserError(
                f"{SETTING}: {given} names the {column} {name!r}, which {source.name} does not "
                "have; remove or correct that line."
            )
        row = row_of[name]
        if label in number_of:
            differs = labels[row] != number_of[label]
            changed += int(differs)
            in_test += int(differs and row >= count)
            labels[row] = number_of[label]
        elif label in REMOVE:
            kept[row] = False
            in_test += int(row >= count)
        else:
            raise UserError(
                f"{SETTING}: {given} gives the {column} {name!r} the label {label!r}; classes are "
                f"{', '.join(source.classes)}, and an empty label drops the image."
            )
    parts = [slice(0, count), slice(count, len(labels))][: len(splits)]
    if not all(kept[part].any() for part in parts):
        raise UserError(f"{SETTING}: {given} drops all images of a split; leave some.")
    train, *test = (
        _corrected(split, labels[part], kept[part], part.start)
        for split, part in zip(splits, parts, strict=True)
    )
    dropped = np.flatnonzero(~kept).tolist()
    note = f"{SETTING}: labels changed: {changed:,}, images dropped: {len(dropped):,}"
    note += f", test images among them: {in_test:,}." if in_test else "."
    corrected = replace(
        source,
        train=train,
        test=test[0] if test else None,
        unreadable=source.unreadable | {names[row]: f"dropped by {SETTING}" for row in dropped},
        notes=(*source.notes, note),
    )
    result = check(corrected)
    return replace(result, notes=tuple(dict.fromkeys(result.notes)))  # some were there before


def table(given: str, column: str) -> dict[str, str]:
    """Return image -> label from the file; `column` names the images, see `image_table.read`."""
    return image_table.read(SETTING, given, column, "label", may_be_empty=True)


def _corrected(split: Split, labels: np.ndarray, kept: np.ndarray, start: int) -> Split:
    """Return the kept images, which remember their rows in the source."""
    rows = np.flatnonzero(kept)
    names = split.files and tuple(split.files[row] for row in rows.tolist())
    images = split.images if kept.all() else compacted(split.images, rows.tolist())
    sizes = None if split.sizes is None else split.sizes[rows]
    return Split(images, labels[rows], names, start + rows, sizes)
