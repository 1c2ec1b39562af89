"""Groups of images, such as those of one person, device or day, which no split may separate.

A model that was trained on some images of a person scores too well on the others. Folds and test
set come from one function of our own: scikit-learn's StratifiedGroupKFold makes folds of equal
share only, and on 200 random cases was no more even (docs/experiments.md, 2026-11-26).
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import files
from stages.data.random_states import random_state
from stages.data.source import Source
from stages.errors import UserError

NAMES = ("file", "row")


def read(given: str, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Read which group each image belongs to.

    Args:
        given: the path of a CSV file with the columns `file,group`; `row,group` if the images
            are not separate files. Rows count from 0, training images first, then test images.
        source: the images.

    Returns:
        int64 (n,) and (m,), the number of each training and test image's group; m is 0 if the
        source has no test set.

    Raises:
        UserError: for another header, an image without a group or with two, an unknown image, or a
            group with training and test images.
        OSError: when the file cannot be read.
    """
    path = files.find(given)
    has_files = source.train_files is not None
    column = NAMES[0] if has_files else NAMES[1]
    count = len(source.train_labels)
    test_count = 0 if source.test_labels is None else len(source.test_labels)
    if has_files:
        names = [*source.train_files, *(source.test_files or ())]
    else:
        names = [str(row) for row in range(count + test_count)]
    group_of = _table(path, given, column)
    known = {*names, *source.unreadable}
    for name in group_of:
        if name not in known:
            raise UserError(
                f"folds.group: {given} names the {column} {name!r}, which {source.name} does not "
                "have; remove or correct that line."
            )
    for name in names:
        if name not in group_of:
            raise UserError(
                f"folds.group: {given} has no line for the {column} {name!r}; give every image a "
                "group, possibly its own."
            )
    labels = [group_of[name] for name in names]
    numbers = np.unique(labels, return_inverse=True)[1]
    shared = np.intersect1d(numbers[:count], numbers[count:])
    if shared.size:
        raise UserError(
            f"folds.group: the group {labels[int(np.argmax(numbers == shared[0]))]!r} has images "
            f"in {source.name}'s training and test set; move them to one of them."
        )
    return numbers[:count], numbers[count:]


def joined(groups: np.ndarray, equal: np.ndarray) -> np.ndarray:
    """Merge groups that share equal images, since these must stay together.

    Args:
        groups: int64 (n,), the group of each image.
        equal: int64 (n,), the same number for equal images.

    Returns:
        int64 (n,), numbers from 0.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start = int(groups.max()) + 1
    size = start + int(equal.max()) + 1
    links = coo_array((np.ones(len(groups)), (groups, start + equal)), shape=(size, size))
    of_node = connected_components(links, directed=False)[1]
    return np.unique(of_node[groups], return_inverse=True)[1]


def assign(
    labels: np.ndarray, groups: np.ndarray, shares: Sequence[float], state: np.random.RandomState
) -> np.ndarray:
    """Assign whole groups to parts, so that each part gets its share of each class and in total.

    Greedy: groups are taken by size, largest first, shuffled among similar sizes. Each goes to the
    part where it adds least to the sum over classes, and all images as one more class, of
    (images - due)^2 / (images of the class x due).

    Args:
        labels: int64 (n,).
        groups: int64 (n,), from 0 without gaps.
        shares: of each part, above 0; they sum to 1.
        state: shuffles groups of similar size.

    Returns:
        int64 (n,), the part of each image.
    """
    sizes = np.bincount(groups)
    order = state.permutation(len(sizes))
    order = order[np.argsort(-np.floor(np.log2(sizes[order])), kind="stable")]
    rows = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    everything = int(labels.max()) + 1  # an extra class with all images
    totals = np.append(np.bincount(labels), len(labels))
    due = np.outer(shares, totals)
    with np.errstate(divide="ignore"):
        weight = 1 / (totals * due)
    over = -due  # images beyond each part's due: (parts, classes + 1)
    part_of = np.empty(len(sizes), np.int64)
    for group in order:
        present, counts = np.unique(labels[rows[group]], return_counts=True)
        present, counts = np.append(present, everything), np.append(counts, sizes[group])
        adds = (counts * (2 * over[:, present] + counts) * weight[:, present]).sum(axis=1)
        part = int(np.argmin(adds))
        over[part, present] += counts
        part_of[group] = part
    return part_of[groups]


def folds(
    labels: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    count: int,
    repeats: int,
    seed: int,
) -> np.ndarray:
    """Assign each image to the fold that validates it, whole groups at a time.

    Args and returns: as `stages.data.folds.stratified_folds`, and `groups` int64 (n,), from 0
    without gaps.

    Raises:
        UserError: when a class has fewer groups than there are folds, or would be in one fold only,
            or a fold would be empty.
    """
    for label, name in enumerate(classes):
        number = len(np.unique(groups[labels == label]))
        if number < count:
            remedy = f"use at most {number} folds or " if number >= 2 else ""
            raise UserError(
                f"folds.count is {count}, but class {name!r} has training images of only {number} "
                f"groups of folds.group; {remedy}give the class images of more groups."
            )
    folds_of = np.empty((repeats, len(labels)), np.int16)
    for repeat in range(repeats):
        folds_of[repeat] = assign(
            labels, groups, [1 / count] * count, random_state("folds", seed, repeat)
        )
        for label, name in enumerate(classes):
            if len(np.unique(folds_of[repeat, labels == label])) < 2:
                raise UserError(
                    f"the groups of folds.group put all of class {name!r} into one fold; use "
                    "another folds.seed, fewer folds, or smaller groups."
                )
        if len(np.unique(folds_of[repeat])) < count:
            raise UserError(
                f"the groups of folds.group are too large for folds.count {count}: one fold is "
                "empty; use fewer folds or smaller groups."
            )
    return folds_of


def hold_out(
    labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose whole groups for the test set, as close as possible to `fraction` of each class.

    Args and returns: as `stages.data.folds.hold_out`, and `groups` int64 (n,), from 0 without
    gaps.

    Raises:
        UserError: when a class would have no image to train or to test with.
    """
    in_test = assign(labels, groups, [1 - fraction, fraction], random_state("test set", seed)) == 1
    for label, name in enumerate(classes):
        for split, rows in (("training", ~in_test), ("test", in_test)):
            if not (rows & (labels == label)).any():
                number = len(np.unique(groups[labels == label]))
                raise UserError(
                    f"class {name!r} has images of only {number} groups of folds.group, which "
                    f"leaves no {split} image of it with data.test_fraction {fraction}; use "
                    "another fraction or give the class images of more groups."
                )
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def _table(path: Path, given: str, column: str) -> dict[str, str]:
    """Read image -> group from the CSV file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise UserError(f"folds.group: {given} does not exist; give a CSV file or null.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"folds.group: {given} is not a CSV file in UTF-8 ({error}).") from None
    header = rows[0] if rows else []
    if sorted(header) != sorted([column, "group"]):
        raise UserError(
            f"folds.group: {given} has the columns {','.join(header)!r}; they must be "
            f"{column + ',group'!r} for this source."
        )
    group_of: dict[str, str] = {}
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        cells = dict(zip(header, row, strict=False))
        name, group = cells.get(column, ""), cells.get("group", "")
        if len(row) != 2 or not name or not group or name in group_of:
            problem = "occurs twice" if name in group_of else "needs two non-empty cells"
            raise UserError(
                f"folds.group: {given}, line {line}: {name!r} {problem}; give each image one group."
            )
        group_of[name] = group
    return group_of
