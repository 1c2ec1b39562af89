"""Which of a source's images train, test, and validate in which fold."""

import hashlib
from typing import NamedTuple

import numpy as np

from stages.data import duplicates, folds, groups
from stages.data.generators import generator
from stages.data.source import Source
from stages.params import Params

SPLITS = ("training", "test")


class Division(NamedTuple):
    """Rows of a source's images, and what is known of the images in them."""

    train: np.ndarray  # int64 (n,), ascending rows of source.train_images
    test: np.ndarray  # int64 (m,), of source.test_images; of train_images where it has none
    folds: np.ndarray  # int16 (repeats, n), the fold that validates each training image
    groups: dict[str, int]  # split -> number of groups; empty without folds.group
    duplicates: dict  # what `stages.data.duplicates.find` found
    images_sha256: str  # of all images, whatever their order, split and fold


def divide(source: Source, settings: Params) -> Division:
    """Hold out a test set where there is none, apply `data.limit`, and assign the folds.

    Equal images, and the images of one group of `folds.group`, stay in one split and one fold.

    Args:
        source: a checked source; its order is kept in each split.
        settings: the sections `data` and `folds` are used.

    Raises:
        UserError: when a class has too few images for this, `folds.group` does not fit, or test
            images are training images too and `data.duplicates` does not allow it.
        OSError: when the file of `folds.group` cannot be read.
    """
    chosen, cut, classes = settings.data, settings.folds, source.classes
    labels = source.train_labels
    of_train, of_test = groups.read(cut.group, source) if cut.group else (None, None)
    marks = duplicates.marks(source.train_images)
    if source.test_images is None:
        train, test = _hold_out(labels, marks, of_train, classes, chosen.test_fraction, chosen.seed)
        test_labels, test_marks, of_test = labels[test], marks[test], _at(of_train, test)
    else:
        train, test = np.arange(len(labels)), np.arange(len(source.test_labels))
        test_labels, test_marks = source.test_labels, duplicates.marks(source.test_images)
    if chosen.limit:
        of = {split: generator(f"limit of {split} images", chosen.seed) for split in SPLITS}
        train = train[folds.at_most(chosen.limit, labels[train], classes, of["training"])]
        kept = folds.at_most(chosen.limit, test_labels, classes, of["test"])
        test, test_marks, of_test = test[kept], test_marks[kept], _at(of_test, kept)
    labels, marks, of_train = labels[train], marks[train], _at(of_train, train)
    found = duplicates.find(marks, test_marks, labels, _names(source, train, test))
    if chosen.duplicates == "refuse":
        duplicates.refuse(found)
    both = {"train": of_train, "test": of_test} if cut.group else {}
    return Division(
        train,
        test,
        _folds(labels, marks, of_train, classes, cut.count, cut.repeats, cut.seed),
        {split: len(np.unique(of)) for split, of in both.items()},
        found,
        hashlib.sha256(np.sort(np.concatenate([marks, test_marks])).tobytes()).hexdigest(),
    )


def _hold_out(labels, marks, of, classes, fraction, seed) -> tuple[np.ndarray, np.ndarray]:
    equal = duplicates.numbered(marks)
    if of is not None:
        return groups.hold_out(labels, groups.joined(of, equal), classes, fraction, seed)
    # Different images are dealt; an image that comes again goes where its first one went.
    _, first = np.unique(equal, return_index=True)
    _, test = folds.hold_out(labels[first], classes, fraction, seed)
    tests = np.isin(equal, test)
    return np.flatnonzero(~tests), np.flatnonzero(tests)


def _folds(labels, marks, of, classes, count, repeats, seed) -> np.ndarray:
    equal = duplicates.numbered(marks)
    if of is not None:
        return groups.folds(labels, groups.joined(of, equal), classes, count, repeats, seed)
    _, first = np.unique(equal, return_index=True)
    return folds.stratified_folds(labels[first], classes, count, repeats, seed)[:, equal]


def _at(groups_of: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if groups_of is None else groups_of[rows]


def _names(source: Source, train: np.ndarray, test: np.ndarray) -> tuple[list, list]:
    """Return the file, or the row, of each image of both splits."""
    test_files = source.train_files if source.test_images is None else source.test_files
    return tuple(
        rows.tolist() if files is None else [files[row] for row in rows]
        for files, rows in ((source.train_files, train), (test_files, test))
    )
