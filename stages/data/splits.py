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


class _Images(NamedTuple):
    """Facts about the images of one split, arrays (n,)."""

    rows: np.ndarray  # in the source
    names: np.ndarray  # the file, or the row
    labels: np.ndarray
    digests: np.ndarray  # equal for equal pixels
    groups: np.ndarray | None  # None without folds.group

    def take(self, chosen: np.ndarray) -> "_Images":
        return _Images(*(array if array is None else array[chosen] for array in self))

    def units(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return what is split: the units' labels, each image's unit, and the units' groups.

        Units are images that are joined into groups, or the distinct images, with the label of the
        first.
        """
        number = duplicates.numbered(self.digests)
        if self.groups is not None:
            return self.labels, np.arange(len(number)), groups.joined(self.groups, number)
        return self.labels[np.unique(number, return_index=True)[1]], number, None


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
    data, chosen, classes = settings.data, settings.folds, source.classes
    of_train, of_test = groups.read(chosen.group, source) if chosen.group else (None, None)
    train = _images(source.train_images, source.train_labels, source.train_files, of_train)
    if source.test_images is None:
        labels, unit, group_of = train.units()
        in_test = folds.hold_out(labels, classes, data.test_fraction, data.seed, group_of)[unit]
        train, test = train.take(~in_test), train.take(in_test)
    else:
        test = _images(source.test_images, source.test_labels, source.test_files, of_test)
    train = train.take(folds.at_most(data.limit, train.labels, classes, "training", data.seed))
    test = test.take(folds.at_most(data.limit, test.labels, classes, "test", data.seed))
    names = train.names.tolist(), test.names.tolist()
    found = duplicates.find(train.digests, test.digests, train.labels, names)
    if data.duplicates == "refuse":
        duplicates.refuse(found)
    labels, unit, group_of = train.units()
    fold_of = folds.stratified_folds(
        labels, classes, chosen.count, chosen.repeats, chosen.seed, group_of
    )
    digests = np.sort(np.concatenate([train.digests, test.digests]))
    both = {"train": train.groups, "test": test.groups} if chosen.group else {}
    return Splits(
        train.rows,
        test.rows,
        fold_of[:, unit],
        {split: len(np.unique(numbers)) for split, numbers in both.items()},
        found,
        hashlib.sha256(digests.tobytes()).hexdigest(),
    )


def _images(
    images: np.ndarray,
    labels: np.ndarray,
    files: tuple[str, ...] | None,
    group_of: np.ndarray | None,
) -> _Images:
    rows = np.arange(len(labels))
    names = rows if files is None else np.array(files, object)
    return _Images(rows, names, labels, duplicates.digests(images), group_of)
