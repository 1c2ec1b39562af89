"""Look at a source of images: what `python -m stages new` prints.

Images are decoded only if that takes no more than a few seconds.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages import data
from stages.data import decode, duplicates, near_duplicates, parquet
from stages.data.listing import Listing
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

SAMPLE = 2_000  # files at least whose headers are read; all of up to twice as many
NEAR_IMAGES, NEAR_PIXELS = 2_000, 4e8  # totals up to which near duplicates are looked for


class Look(NamedTuple):
    """Facts about a source; sizes, colour and damage are those of a sample of the files."""

    classes: tuple[str, ...]
    train: list[int]  # images of each class
    test: list[int]  # the same; all 0 without a test set
    sizes: np.ndarray  # int (n, 2): height and width of the sample
    colour: bool  # whether any image of the sample has colour
    left_out: dict[str, str]  # file -> why it cannot be used
    equal: list[list[str]]  # files with the same content, in groups
    in_two_classes: list[list[str]]  # those of the groups that are in more than one class
    copies: list[int]  # training images of each class that repeat another of that class
    notes: tuple[str, ...]
    resizable: bool = True  # whether `data.image_size` can change the sizes


def look(settings: Data) -> Look:
    """Look at the source of `settings`.

    Raises:
        UserError: as `stages.data.load`, as far as it can be known without decoding.
        OSError: when a file cannot be read.
    """
    path = data.find(settings.source)
    found, opened = data.listed(settings), None
    if path and found is None and data.format_of(path, settings) is parquet:
        found, opened = parquet.contents(path, settings)
    if path is None or found is None:
        return _of_arrays(settings)
    top = path if path.is_dir() else path.parent
    names = [file for *_, file in found.rows]
    step = max(1, len(names) // SAMPLE)
    sizes, modes, left_out = [], set(), dict(found.left_out)
    for name in names[::step]:
        try:
            with opened(name) if opened else decode.header(top / name) as image:
                sizes.append(decode.size(image))
                modes.add(image.mode)
        except decode.UnreadableError as error:
            left_out[name] = str(error)
    if not sizes:
        known = ", ".join(decode.FORMATS)
        raise UserError(f"{path} has no readable image; give files of {known}.")
    found = found._replace(rows=[row for row in found.rows if row[-1] not in left_out])
    names = [file for *_, file in found.rows]
    colour = not modes <= {"1", "L", "LA", "I;16", "I;16B", "I"}
    train, test = (_counts(found, split) for split in ("train", "test"))
    equal = [] if opened else _equal([top / name for name in names], names)
    label_of = {file: label for _, label, file in found.rows}
    in_two = [group for group in equal if len({label_of[name] for name in group}) > 1]
    copies = [0] * len(found.classes)
    to_train = {file for split, _, file in found.rows if split == "train"}
    for group in equal:
        for label, count in Counter(label_of[name] for name in group if name in to_train).items():
            copies[label] += count - 1
    facts = (np.array(sizes), colour, left_out, equal, in_two, copies, found.notes)
    return Look(found.classes, train, test, *facts)


def is_quick(found: Look) -> bool:
    """Return whether `decoded` and `near` take only a few seconds."""
    images = sum(found.train) + sum(found.test)
    pixels = found.sizes.prod(axis=1).mean() * images
    return images <= NEAR_IMAGES and pixels <= NEAR_PIXELS


def decoded(settings: Data, looked: Look) -> tuple[Look, Source]:
    """Read all images as `prepare` does; return the facts corrected by them, and the images.

    Raises:
        UserError: as `stages.data.load`.
    """
    if not settings.image_size:  # a file that was not in the sample may have another
        size = tuple(looked.sizes[0].tolist())
        settings = settings.model_copy(update={"image_size": size})
    source = data.load(settings)
    train, test = _by_class(source)
    return looked._replace(
        train=train,
        test=test,
        colour=source.train.images.shape[3] == 3,
        left_out=looked.left_out | dict(source.unreadable),
        copies=_copies(source.train, len(source.classes)),
    ), source


def near(source: Source, resize: str) -> dict[str, list[list[str]]]:
    """Return names of images in groups of near duplicates: all, in two classes, in both splits.

    Images are named by their files or rows; test images come last in a group. `resize` is the
    setting by which they were read.
    """
    digests = np.concatenate([duplicates.digests(split.images) for split in source.splits])
    found = near_duplicates.find(source.splits, digests, resize == "pad")
    number = np.full(0, -1) if found is None else found.number
    every = [np.flatnonzero(number == group) for group in range(number.max(initial=-1) + 1)]
    labels = np.concatenate([split.labels for split in source.splits])
    names = [name for split in source.splits for name in split.files or ()] or range(len(labels))
    trains = len(source.train.labels)
    kinds = {
        "groups of nearly or exactly equal images": every,
        "of these, in two classes": [rows for rows in every if np.ptp(labels[rows])],
        "of these, in training and test set": [
            rows for rows in every if rows[0] < trains <= rows[-1]
        ],
    }
    return {
        kind: [[str(names[row]) for row in rows] for rows in groups]
        for kind, groups in kinds.items()
    }


def _of_arrays(settings: Data) -> Look:
    source = data.load(settings)
    train, test = _by_class(source)
    sizes = np.array([source.train.images.shape[1:3]])
    colour = source.train.images.shape[3] == 3
    none = [0] * len(source.classes)
    return Look(source.classes, train, test, sizes, colour, {}, [], [], none, source.notes, False)


def _by_class(source: Source) -> list[list[int]]:
    """Return the number of images of each class, to train and to test."""
    return [
        np.bincount(split.labels, minlength=len(source.classes)).tolist()
        if split
        else [0] * len(source.classes)
        for split in (source.train, source.test)
    ]


def _copies(split: Split, classes: int) -> list[int]:
    """Return how many images of each class repeat the pixels of another of that class."""
    images = pd.DataFrame({"label": split.labels, "digest": duplicates.digests(split.images)})
    return np.bincount(images["label"][images.duplicated()], minlength=classes).tolist()


def _counts(found: Listing, split: str) -> list[int]:
    labels = [label for part, label, _ in found.rows if part == split]
    return np.bincount(np.array(labels, int), minlength=len(found.classes)).tolist()


def _equal(paths: Sequence[Path], names: Sequence[str]) -> list[list[str]]:
    """Group the names of files with the same content; only files of equal size are read."""
    of_size, of_content = defaultdict(list), defaultdict(list)
    for path, name in zip(paths, names, strict=True):
        of_size[path.stat().st_size].append((path, name))
    for same in of_size.values():
        for path, name in same if len(same) > 1 else ():
            with path.open("rb") as file:
                of_content[hashlib.file_digest(file, "blake2b").digest()].append(name)
    return [group for group in of_content.values() if len(group) > 1]
