"""Images that occur more than once, pixel for pixel."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.errors import UserError

SHOWN = 5  # groups of equal images listed, and images of each


def digests(images: np.ndarray) -> np.ndarray:
    """Return one hash per image, equal for equal pixels: void of 16 bytes (n,).

    Reads one image at a time, so images may be memory-mapped.
    """
    hashes = (hashlib.blake2b(np.ascontiguousarray(image), digest_size=16) for image in images)
    return np.frombuffer(b"".join(digest.digest() for digest in hashes), "V16")


def numbered(*parts: np.ndarray) -> np.ndarray:
    """Number distinct values from 0, in order of first appearance.

    Args:
        parts: arrays (n,), concatenated.

    Returns:
        int64 (n of all parts,).
    """
    _, first, number = np.unique(np.concatenate(parts), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]


def find(
    train: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    names: tuple[Sequence, Sequence],
) -> dict[str, Any]:
    """Return the images that occur twice or more, within each split and across the two.

    Args:
        train: the digests of the training images (n,).
        test: the digests of the test images (m,).
        labels: int64 (n,), of the training images.
        names: for each split, the file or the row number of each image.

    Returns:
        `train`, `test`, `other_label` (equal training images whose labels differ) and `between`
        (training images that are test images too). Each has `groups` (the number of distinct
        images), `images` (their total number) and `first` (some names; for `between`, per split).
    """
    number = numbered(train, test)
    count = len(train)
    in_train, in_test = _groups(number[:count]), _groups(number[count:])
    other = [rows for rows in in_train.values() if len(set(labels[rows].tolist())) > 1]
    both = np.intersect1d(number[:count], number[count:])
    pairs = [
        (np.flatnonzero(number[:count] == one), np.flatnonzero(number[count:] == one))
        for one in both[:SHOWN]
    ]
    return {
        "train": _summary(list(in_train.values()), names[0]),
        "test": _summary(list(in_test.values()), names[1]),
        "other_label": _summary(other, names[0]),
        "between": {
            "groups": len(both),
            "images": int(np.isin(number, both).sum()),
            "first": [
                {
                    split: [names[side][row] for row in pair[side][:SHOWN]]
                    for side, split in enumerate(("train", "test"))
                }
                for pair in pairs
            ],
        },
    }


def refuse(found: dict[str, Any]) -> None:
    """Refuse test images that are training images too.

    Args:
        found: what `find` returned.

    Raises:
        UserError: names the first pair.
    """
    between = found["between"]
    if between["groups"]:
        first = between["first"][0]
        more = f", the first of {between['groups']} such pairs," if between["groups"] > 1 else ""
        raise UserError(
            f"the training image {first['train'][0]!r} and the test image {first['test'][0]!r} "
            f"have the same pixels{more} so the model would be tested on images it was trained on; "
            "remove them from one split, or set data.duplicates to allow."
        )


def _groups(number: np.ndarray) -> dict[int, list[int]]:
    """Return the rows of each number that occurs twice or more, by first appearance."""
    groups: dict[int, list[int]] = {}
    for row in np.flatnonzero(np.bincount(number, minlength=1)[number] > 1).tolist():
        groups.setdefault(int(number[row]), []).append(row)
    return groups


def _summary(groups: list[list[int]], names: Sequence) -> dict[str, Any]:
    return {
        "groups": len(groups),
        "images": sum(map(len, groups)),
        "first": [[names[row] for row in rows[:SHOWN]] for rows in groups[:SHOWN]],
    }
