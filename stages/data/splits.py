"""Which of a source's images are for training, for the test, and for validation in which fold."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.data import duplicates, folds, groups, near_duplicates
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.params import Params
from stages.settings.sections import Data


class Splits(NamedTuple):
    """Row numbers of a source's images in each split, and facts about these images."""

    train: np.ndarray  # int64 (n,), ascending rows of source.train
    test: np.ndarray  # int64 (m,), of source.test; of source.train where it has none
    folds: np.ndarray  # int16 (repeats, n), the fold that validates each training image
    groups: dict[str, int]  # split -> number of groups; empty without folds.group
    duplicates: dict[str, Any]  # as `stages.data.duplicates.find` returns them
    images_sha256: str  # of all images, independent of their order, split and fold
    notes: tuple[str, ...] = ()  # what a user might not expect, one sentence each
    near: list[near_duplicates.Group] | None = None  # None: there was no search


class _Images(NamedTuple):
    """Facts about the images of one split, arrays (n,)."""

    rows: np.ndarray  # in the source
    names: np.ndarray  # the file, or the row
    labels: np.ndarray
    digests: np.ndarray  # equal for equal pixels
    groups: np.ndarray | None  # None without folds.group
    near: np.ndarray  # group of near duplicates, -1 without one
    distance: np.ndarray  # to the nearest of them

    def take(self, chosen: np.ndarray) -> "_Images":
        return _Images._make(array if array is None else array[chosen] for array in self)

    def units(self, data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return what is split: the units' labels, each image's unit, and the units' groups.

        Units are all images if they are in groups, and otherwise the distinct images, each with the
        label of its first copy.
        """
        number, group_of = pd.factorize(self.digests)[0], self.groups
        if data.near_duplicates == "group" and (self.near >= 0).any():
            linked = np.where(self.near >= 0, self.near, self.near.max() + 1 + number)
            group_of = linked if group_of is None else groups.joined(group_of, linked)
        if group_of is not None:
            return self.labels, np.arange(len(number)), groups.joined(group_of, number)
        return self.labels[np.unique(number, return_index=True)[1]], number, None


def make_splits(source: Source, settings: Params) -> Splits:
    """Hold out a test set if the source has none, apply `data.limit`, and assign the folds.

    Equal images, and images of one group of `folds.group`, stay in one split and one fold; so do
    near duplicates if `data.near_duplicates` is group. Each split keeps the order of the checked
    source.

    Raises:
        UserError: when a class has too few images for this, `folds.group` does not fit, or test
            images are training images too, exactly or nearly, which the settings do not allow.
        OSError: when the file of `folds.group` cannot be read.
    """
    data, classes, group = settings.data, source.classes, settings.folds.group
    group_of_image = groups.read(group, source) if group else (None, None)
    images, searched = _read(source, group_of_image, data)
    train = images[0]
    notes = duplicates.labelled_twice(train.digests, train.labels, train.names.tolist(), classes)
    if source.test is None:
        labels, unit, group_of = train.units(data)
        in_test = folds.hold_out(labels, classes, data, group_of)[unit]
        train, test = train.take(~in_test), train.take(in_test)
    else:
        test = images[1]
    train = train.take(folds.at_most(train.labels, classes, data, "training"))
    test = test.take(folds.at_most(test.labels, classes, data, "test"))
    names = train.names.tolist(), test.names.tolist()
    found = duplicates.find(train.digests, test.digests, train.labels, names)
    if data.duplicates == "refuse":
        duplicates.refuse(found)
    near = None
    if searched:
        parts = [near_duplicates.Found(part.near, part.distance) for part in (train, test)]
        near = near_duplicates.groups(parts[0], parts[1], (train.labels, test.labels))
        if data.near_duplicates == "refuse":
            near_duplicates.refuse(near, names, source.test is not None)
        notes += near_duplicates.notes(near, names, source.test is not None)
    labels, unit, group_of = train.units(data)
    fold_of = folds.stratified_folds(labels, classes, settings.folds, group_of)[:, unit]
    group_counts = {
        split: len(np.unique(images.groups))
        for split, images in (("train", train), ("test", test))
        if images.groups is not None
    }
    digests = np.sort(np.concatenate([train.digests, test.digests]))
    sha256 = hashlib.sha256(digests.tobytes()).hexdigest()
    return Splits(train.rows, test.rows, fold_of, group_counts, found, sha256, notes, near)


def _read(
    source: Source, group_of: tuple[np.ndarray | None, np.ndarray | None], data: Data
) -> tuple[list[_Images], bool]:
    """Return facts about the source's splits, and whether near duplicates were searched for."""
    splits = source.splits
    digests = [duplicates.digests(split.images) for split in splits]
    found, total = None, sum(map(len, digests))
    listed = data.near_duplicates == "list" and total <= near_duplicates.MOST
    if listed or data.near_duplicates in ("group", "refuse"):
        found = near_duplicates.find(splits, np.concatenate(digests), data.resize == "pad")
        if found is None and not listed:
            raise UserError(
                f"data.near_duplicates is {data.near_duplicates!r}, but images of less than "
                f"{near_duplicates.LEAST} pixels per side are too small to tell; set it to list or "
                "ignore."
            )
    searched, ends = found is not None, np.cumsum([len(split.labels) for split in splits])
    if found is None:
        found = near_duplicates.Found(np.full(ends[-1], -1), np.full(ends[-1], np.inf))
    parts = zip(*(np.split(array, ends[:-1]) for array in found), strict=True)
    images = []
    for split, hashes, groups_of, near in zip(splits, digests, group_of, parts, strict=False):
        rows = np.arange(len(split.labels))
        known = rows if split.rows is None else split.rows
        names = known if split.files is None else np.array(split.files, object)
        images.append(_Images(rows, names, split.labels, hashes, groups_of, *near))
    return images, searched
