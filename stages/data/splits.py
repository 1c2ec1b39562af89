"""Which of a source's images are for training, for the test, and for validation in which fold."""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from stages.data import duplicates, folds, groups
from stages.data.source import Source, Split
from stages.settings.params import Params


class Splits(NamedTuple):
    """Row numbers of a source's images in each split, and facts about these images."""

    train: np.ndarray  # int64 (n,), ascending rows of source.train
    test: np.ndarray  # int64 (m,), of source.test; of source.train where it has none
    folds: np.ndarray  # int16 (repeats, n), the fold that validates each training image
    groups: dict[str, int]  # split -> number of groups; empty without folds.group
    duplicates: dict[str, Any]  # as `stages.data.duplicates.find` returns them
    images_sha256: str  # of all images, independent of their order, split and fold
    notes: tuple[str, ...] = ()  # what a user might not expect, one sentence each


class _Images(NamedTuple):
    """Facts about the images of one split, arrays (n,)."""

    rows: np.ndarray  # in the source
    names: np.ndarray  # the file, or the row
    labels: np.ndarray
    digests: np.ndarray  # equal for equal pixels
    groups: np.ndarray | None  # None without folds.group

    def take(self, chosen: np.ndarray) -> "_Images":
        return _Images._make(array if array is None else array[chosen] for array in self)

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

    Equal images, and images of one group of `folds.group`, stay in one split and one fold. Each
    split keeps the order of the checked source.

    Raises:
        UserError: when a class has too few images for this, `folds.group` does not fit, or test
            images are training images too and `data.duplicates` does not allow it.
        OSError: when the file of `folds.group` cannot be read.
    """
    data, classes, group = settings.data, source.classes, settings.folds.group
    of_train, of_test = groups.read(group, source) if group else (None, None)
    train = _images(source.train, of_train)
    notes = duplicates.labelled_twice(train.digests, train.labels, train.names.tolist(), classes)
    if source.test is None:
        labels, unit, group_of = train.units()
        in_test = folds.hold_out(labels, classes, data, group_of)[unit]
        train, test = train.take(~in_test), train.take(in_test)
    else:
        test = _images(source.test, of_test)
    train = train.take(folds.at_most(train.labels, classes, data, "training"))
    test = test.take(folds.at_most(test.labels, classes, data, "test"))
    names = train.names.tolist(), test.names.tolist()
    found = duplicates.find(train.digests, test.digests, train.labels, names)
    if data.duplicates == "refuse":
        duplicates.refuse(found)
    labels, unit, group_of = train.units()
    fold_of = folds.stratified_folds(labels, classes, settings.folds, group_of)[:, unit]
    group_counts = {
        split: len(np.unique(images.groups))
        for split, images in (("train", train), ("test", test))
        if images.groups is not None
    }
    digests = np.sort(np.concatenate([train.digests, test.digests]))
    sha256 = hashlib.sha256(digests.tobytes()).hexdigest()
    return Splits(train.rows, test.rows, fold_of, group_counts, found, sha256, notes)


def _images(split: Split, group_of: np.ndarray | None) -> _Images:
    rows = np.arange(len(split.labels))
    known = rows if split.rows is None else split.rows
    names = known if split.files is None else np.array(split.files, object)
    return _Images(rows, names, split.labels, duplicates.digests(split.images), group_of)
