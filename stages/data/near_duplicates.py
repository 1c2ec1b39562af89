"""Groups of images that are nearly or exactly equal, within and between training and test set."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.data import decode, duplicates, likeness
from stages.data.source import Split
from stages.errors import UserError

LEAST = 32  # pixels of the shorter side; smaller images look alike even if they are different
MOST = 100_000  # images; more are searched only on request: the time grows with their square
NEAR = 0.25  # the largest distance of copies
ASPECT = 1.3  # largest factor between the aspect ratios of a file and its copy
BLOCK = 64  # pairs compared at once
TABLE = "data/prepared/near_duplicates.csv"
COLUMNS = ("group", "split", "index", "row", "file", "label", "distance")


class Found(NamedTuple):
    """Which of n images are near duplicates."""

    number: np.ndarray  # int64 (n,), the group, from 0; -1: the image has no near duplicate
    distance: np.ndarray  # float64 (n,), to the nearest one, 0 to NEAR; infinite without one


class Group(NamedTuple):
    """Images that are nearly equal, as indices of the prepared images of each split."""

    train: list[int]
    test: list[int]
    labels: int  # number of distinct labels
    distance: list[float]  # of each image to the nearest, those of `train` first


def find(splits: Sequence[Split], digests: np.ndarray, padded: bool) -> Found | None:
    """Return which images are nearly or exactly equal; None if they are too small to tell.

    Images are numbered consecutively across splits, and images that are linked through others are
    in one group too. `digests` are those of all images. If images are `padded`, only the pictures
    within them are compared, where the splits have their sizes.
    """
    if min(splits[0].images.shape[1:3]) < LEAST:
        return None
    number = pd.factorize(digests)[0]
    first, copies = np.unique(number, return_index=True, return_counts=True)[1:]
    close, distance = pairs(splits, first, padded)
    of_first = duplicates.connected(close, len(first))
    nearest = np.where(copies > 1, 0, np.inf)
    for side in close.T:
        np.minimum.at(nearest, side, distance)
    nearest, group = nearest[number], np.full(len(number), -1)
    near = np.isfinite(nearest)
    group[near] = pd.factorize(of_first[number][near])[0]
    return Found(group, nearest)


def pairs(splits: Sequence[Split], rows: np.ndarray, padded: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of near duplicates among some images, and their distances.

    Pairs are int64 (pairs, 2), as indices of `rows`; distances float64 (pairs,), 0 to NEAR.
    """
    shown = _shown(splits, padded)
    close = likeness.candidates(
        np.stack([likeness.thumbnails(shown(row)) for row in rows.tolist()])
    )
    if all(split.sizes is not None for split in splits):
        sizes = np.concatenate([split.sizes for split in splits])[rows]
        aspect = np.log(sizes[:, 0] / sizes[:, 1])
        close = close[np.abs(np.diff(aspect[close], axis=1)[:, 0]) <= np.log(ASPECT)]

    def compared(start: int) -> np.ndarray:
        block = rows[close[start : start + BLOCK]]
        known, at = np.unique(block, return_inverse=True)
        pictures = likeness.pictures([shown(row) for row in known.tolist()])
        return likeness.distances(*(pictures[side] for side in at.reshape(block.shape).T))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        each = [np.empty(0), *threads.map(compared, range(0, len(close), BLOCK))]
    distance = np.concatenate(each).round(4)  # further digits may differ between processors
    return close[distance <= NEAR], distance[distance <= NEAR]


def _shown(splits: Sequence[Split], padded: bool) -> Callable[[int], np.ndarray]:
    """Return a function that returns the picture of an image, without padding."""
    starts = np.cumsum([0, *(len(split.labels) for split in splits)])

    def shown(row: int) -> np.ndarray:
        number = int(np.searchsorted(starts, row, "right")) - 1
        split, at = splits[number], row - starts[number]
        if split.sizes is None or not padded:
            return split.images[at]
        return split.images[at][decode.inside(split.sizes[at].tolist(), split.images.shape[1:3])]

    return shown


def groups(train: Found, test: Found, labels: tuple[np.ndarray, np.ndarray]) -> list[Group]:
    """Return the groups that have at least two images in the splits.

    The arguments describe the prepared images. Groups in both splits come first, then those with
    two labels.
    """
    count = len(train.number)
    number, distance = (np.concatenate(pair) for pair in zip(train, test, strict=True))
    label = np.concatenate(labels)
    order = np.argsort(number, kind="stable")[np.count_nonzero(number < 0) :]
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        if len(rows) > 1:
            in_test = (rows[rows >= count] - count).tolist()
            kinds = len(np.unique(label[rows]))
            found.append(
                Group(rows[rows < count].tolist(), in_test, kinds, distance[rows].tolist())
            )
    return sorted(found, key=lambda one: (not (one.train and one.test), one.labels == 1))


def table(found: Sequence[Group], named: Sequence[tuple], train: int) -> list[tuple]:
    """Return the rows of near_duplicates.csv.

    `named` has the split, the index in it, the row in the source, the file and the class of each
    prepared image, first of the `train` training images.
    """
    return [
        (number, *named[row], distance)
        for number, group in enumerate(found)
        for row, distance in zip(
            [*group.train, *(train + index for index in group.test)], group.distance, strict=True
        )
    ]


def summary(found: Sequence[Group] | None) -> dict[str, Any]:
    """Return counts for dataset.json; `searched` alone if there was no search."""
    if found is None:
        return {"searched": False}
    return {
        "searched": True,
        "groups": len(found),
        "images": sum(len(one.train) + len(one.test) for one in found),
        "between": sum(bool(one.train and one.test) for one in found),
        "two_labels": sum(one.labels > 1 for one in found),
    }


def notes(
    found: Sequence[Group], names: tuple[Sequence, Sequence], own_test: bool
) -> tuple[str, ...]:
    """Return a sentence about groups in both splits and one about groups of two labels, if any.

    `names` are the files or rows of the prepared images of both splits. `own_test` is whether the
    source has its own test set, whose images no setting moves.
    """
    sentences = []
    between = [one for one in found if one.train and one.test]
    if between:
        remedy = "remove them from one" if own_test else "set data.near_duplicates to group"
        sentences.append(
            f"{_counted(between)} in both training and test set, such as {_pair(between, names)}, "
            f"so the test may be too easy; look at {TABLE}, and {remedy}."
        )
    if other := [one for one in found if one.labels > 1]:
        sentences.append(
            f"{_counted(other)} under more than one label, such as {_pair(other, names)}; look at "
            f"{TABLE}, and correct wrong labels."
        )
    return tuple(sentences)


def refuse(found: Sequence[Group], names: tuple[Sequence, Sequence], own_test: bool) -> None:
    """Raise a UserError if a group is in both splits; arguments as for `notes`."""
    if between := [one for one in found if one.train and one.test]:
        remedy = "remove one of each" if own_test else "set data.near_duplicates to group"
        raise UserError(
            f"{_counted(between)} in both training and test set, such as {_pair(between, names)}, "
            f"so the test would be too easy; {remedy}, or set data.near_duplicates to list."
        )


def _counted(found: Sequence[Group]) -> str:
    many = f"{len(found):,} groups of near duplicates are"
    return "1 group of near duplicates is" if len(found) == 1 else many


def _pair(found: Sequence[Group], names: tuple[Sequence, Sequence]) -> str:
    """Return the names of two images of the first group, from both splits if it is in both."""
    in_train, in_test = (
        [of[row] for row in rows] for of, rows in zip(names, found[0][:2], strict=True)
    )
    return f"{(in_train or in_test)[0]!r} and {(in_test or in_train)[-1]!r}"
