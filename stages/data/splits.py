"""Which of a source's images are for training, for the test, and for validation in which fold."""

import hashlib
from typing import NamedTuple

import numpy as np

from stages.data import duplicates, folds, groups
from stages.data.source import Source
from stages.settings.params import Params


class Splits(NamedTuple):
    """Row numbers of a source's images in each split, and facts about these images."""

    train: np.ndarray  # int64 (n,), ascending rows of source.train_images
    test: np.ndarray  # int64 (m,), of source.test_images; of train_images where it has none
    folds: np.ndarray  # int16 (repeats, n), the fold that validates each training image
    groups: dict[str, int]  # split -> number of groups; empty without folds.group
    duplicates: dict  # as `stages.data.duplicates.find` returns them
    images_sha256: str  # of all images, independent of their order, split and fold


def make_splits(source: Source, settings: Params) -> Splits:
    """Hold out a test set if the source has none, apply `data.limit`, and assign the folds.

    Equal images, and images of one group of `folds.group`, stay in one split and one fold.

    Args:
        source: a checked source; its order is kept in each split.
        settings: the sections `data` and `folds` are used.

    Raises:
        UserError: when a class has too few images for this, `folds.group` does not fit, or test
            images are training images too and `data.duplicates` does not allow it.
        OSError: when the file of `folds.group` cannot be read.
    """
    data, classes = settings.data, source.classes
    labels, digests = source.train_labels, duplicates.digests(source.train_images)
    grouped = bool(settings.folds.group)
    train_groups, test_groups = (
        groups.read(settings.folds.group, source) if grouped else (None,) * 2
    )
    if source.test_images is None:
        train, test = _hold_out(
            labels, digests, train_groups, classes, data.test_fraction, data.seed
        )
        test_labels, test_digests = labels[test], digests[test]
        test_groups = _take(train_groups, test)
    else:
        train, test = np.arange(len(labels)), np.arange(len(source.test_labels))
        test_labels, test_digests = source.test_labels, duplicates.digests(source.test_images)
    train = train[folds.at_most(data.limit, labels[train], classes, "training", data.seed)]
    kept = folds.at_most(data.limit, test_labels, classes, "test", data.seed)
    test, test_digests, test_groups = test[kept], test_digests[kept], _take(test_groups, kept)
    labels, digests, train_groups = labels[train], digests[train], _take(train_groups, train)
    found = duplicates.find(digests, test_digests, labels, _names(source, train, test))
    if data.duplicates == "refuse":
        duplicates.refuse(found)
    both = {"train": train_groups, "test": test_groups} if grouped else {}
    return Splits(
        train,
        test,
        _folds(labels, digests, train_groups, classes, settings.folds),
        {name: len(np.unique(numbers)) for name, numbers in both.items()},
        found,
        hashlib.sha256(np.sort(np.concatenate([digests, test_digests])).tobytes()).hexdigest(),
    )


def _hold_out(labels, digests, group_of, classes, fraction, seed) -> tuple[np.ndarray, np.ndarray]:
    image = duplicates.numbered(digests)
    if group_of is not None:
        return groups.hold_out(labels, groups.joined(group_of, image), classes, fraction, seed)
    # Split the distinct images; copies follow the first one.
    _, first = np.unique(image, return_index=True)
    _, test = folds.hold_out(labels[first], classes, fraction, seed)
    in_test = np.isin(image, test)
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def _folds(labels, digests, group_of, classes, chosen) -> np.ndarray:
    image = duplicates.numbered(digests)
    count, repeats, seed = chosen.count, chosen.repeats, chosen.seed
    if group_of is not None:
        joined = groups.joined(group_of, image)
        return groups.folds(labels, joined, classes, count, repeats, seed)
    _, first = np.unique(image, return_index=True)
    return folds.stratified_folds(labels[first], classes, count, repeats, seed)[:, image]


def _take(numbers: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if numbers is None else numbers[rows]


def _names(source: Source, train: np.ndarray, test: np.ndarray) -> tuple[list, list]:
    """Return the file, or the row, of each image of both splits."""
    test_files = source.train_files if source.test_images is None else source.test_files
    return tuple(
        rows.tolist() if files is None else [files[row] for row in rows]
        for files, rows in ((source.train_files, train), (test_files, test))
    )
