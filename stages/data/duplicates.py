"""Images that occur more than once, pixel for pixel."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.errors import UserError

SHOWN = 5  # groups of equal images listed, and images of each


def digests(images: np.ndarray) -> np.ndarray:
    """Return one hash per image, equal for equal pixels: void of 16 bytes (n,).

    Reads one image at a time, so images may be memory-mapped.
    """
    hashes = (hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16) for image in images)
    return np.frombuffer(b"".join(digest.digest() for digest in hashes), "V16")


def connected(pairs: np.ndarray, count: int) -> np.ndarray:
    """Return the number of each node's connected component: int32 (count,).

    `pairs` is int (m, 2), the nodes that are linked, from 0 to `count` - 1.
    """
    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def labelled_twice(
    hashes: np.ndarray, labels: np.ndarray, names: Sequence, classes: Sequence[str]
) -> tuple[str, ...]:
    """Return a sentence if equal training images have different labels, else none.

    Splits count equal images once, under the first label. If that leaves a class without images, a
    UserError is raised.
    """
    number = pd.factorize(hashes)[0]
    first = np.unique(number, return_index=True)[1]  # the row of the first of equal images
    wrong = np.flatnonzero(labels[first[number]] != labels)
    if not len(wrong):
        return ()
    lost = np.setdiff1d(labels, labels[first])
    row = wrong[labels[wrong] == lost[0]][0] if len(lost) else wrong[0]
    pair = [f"{names[at]!r} ({classes[labels[at]]})" for at in (first[number[row]], row)]
    if len(lost):
        raise UserError(
            f"every image of class {classes[lost[0]]!r} is in another class too: {pair[0]} and "
            f"{pair[1]}, for example, have the same pixels; remove them from one class."
        )
    what = "1 training image is" if len(wrong) == 1 else f"{len(wrong):,} training images are"
    return (
        f"{what} also in another class, such as {pair[0]} and {pair[1]}; correct their labels.",
    )


def find(
    train: np.ndarray, test: np.ndarray, labels: np.ndarray, names: tuple[Sequence, Sequence]
) -> dict[str, Any]:
    """Return the images that occur twice or more, within each split and across the two.

    `train` and `test` are digests, `labels` those of the training images, and `names` the file or
    the row number of each image of both splits.

    The result has `train`, `test`, `other_label` (equal training images whose labels differ) and
    `between` (training images that are test images too). Each has `groups` (the number of distinct
    images), `images` (their total number) and `first` (some names; for `between`, per split).
    """
    rows_of: dict[bytes, tuple[list[int], list[int]]] = {}  # digest -> rows in train and in test
    for side, split in enumerate((train, test)):
        for row, digest in enumerate(split.tolist()):
            rows_of.setdefault(digest, ([], []))[side].append(row)

    def shown(rows: list[int], side: int) -> list:
        return [names[side][row] for row in rows[:SHOWN]]

    def summary(groups: list[list[int]], side: int) -> dict[str, Any]:
        first = [shown(rows, side) for rows in groups[:SHOWN]]
        return {"groups": len(groups), "images": sum(map(len, groups)), "first": first}

    in_train = [rows for rows, _ in rows_of.values() if len(rows) > 1]
    in_test = sorted(rows for _, rows in rows_of.values() if len(rows) > 1)
    other_label = [rows for rows in in_train if np.ptp(labels[rows])]
    between = [pair for pair in rows_of.values() if all(pair)]
    return {
        "train": summary(in_train, 0),
        "test": summary(in_test, 1),
        "other_label": summary(other_label, 0),
        "between": {
            "groups": len(between),
            "images": sum(len(rows) for pair in between for rows in pair),
            "first": [{"train": shown(a, 0), "test": shown(b, 1)} for a, b in between[:SHOWN]],
        },
    }


def refuse(found: dict[str, Any]) -> None:
    """Raise a UserError if test images are training images too; `found` is what `find` returned."""
    between = found["between"]
    if between["groups"]:
        first = between["first"][0]
        raise UserError(
            f"the training image {first['train'][0]!r} and the test image {first['test'][0]!r} "
            f"have the same pixels, the first of {between['groups']:,} such pairs, so the model "
            "would be tested on images it was trained on; remove them from one split, or set "
            "data.duplicates to allow."
        )
