"""Groups of images, such as those of one person, device or day, which no split may separate.

A model that was trained on some images of a person scores too well on the others. Folds and test
set come from one function of our own: scikit-learn's StratifiedGroupKFold makes only folds of equal
share, and was no more even on 200 random cases (docs/experiments.md, 2026-11-26).
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from stages.data import duplicates, image_table
from stages.data.decode import is_image
from stages.data.listing import Listing, nfc
from stages.data.source import Source
from stages.errors import UserError


def read(given: str, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each training and each test image's group, int64 (n,) and (m,).

    `given` is the path of a CSV file with the columns `file,group`; `row,group` if the images are
    not files and have no names. Other columns are ignored. Rows count from 0, training images
    first, then test images.

    Raises:
        UserError: for a wrong header, an image without a group or with two, an unknown image, or a
            group with training and test images.
        OSError: when the file cannot be read.
    """
    count, (column, names) = len(source.train.labels), image_table.names(source)
    group_of = _checked(given, column, names, source.unreadable, source.name)
    labels = [group_of[nfc(name)] for name in names]
    if shared := {*labels[:count]} & {*labels[count:]}:
        raise UserError(
            f"folds.group: the group {min(shared)!r} has images in {source.name}'s training and "
            "test set; move them to one of them."
        )
    numbers = np.unique(labels, return_inverse=True)[1]
    return numbers[:count], numbers[count:]


def check(given: str, found: Listing | None, top: Path | None, column: str = "row") -> None:
    """Check the CSV file before any image is decoded, as far as the listed files allow.

    `found` is None if the images are not separate files below `top`; then `column` names them.
    Files that are not images need no group.
    """
    if not (found and top):
        table(given, column)
        return
    names, group_of = [file for *_, file in found.rows], table(given, "file")
    unreadable = {name for name in names if nfc(name) not in group_of and not is_image(top / name)}
    readable = [name for name in names if name not in unreadable]
    _checked(given, "file", readable, {*found.left_out, *unreadable}, "data.source")


def table(given: str, column: str) -> dict[str, str]:
    """Return image -> group from the file; `column` names the images, see `image_table.read`."""
    return image_table.read("folds.group", given, column, "group")


def _checked(
    given: str, column: str, names: Sequence[str], left_out: Collection[str], source: str
) -> dict[str, str]:
    """Return image -> group; each image must have one, `left_out` files may, and others may not."""
    group_of, known = table(given, column), {nfc(name) for name in (*names, *left_out)}
    if unknown := [name for name in group_of if name not in known]:
        raise UserError(
            f"folds.group: {given} names the {column} {unknown[0]!r}, which {source} does not "
            "have; remove or correct that line."
        )
    if missing := [name for name in names if nfc(name) not in group_of]:
        raise UserError(
            f"folds.group: {given} has no line for the {column} {missing[0]!r}; give every image "
            "a group, possibly its own."
        )
    return group_of


def joined(groups: np.ndarray, equal: np.ndarray) -> np.ndarray:
    """Merge groups that share equal images, since these must stay together.

    `equal` has the same number for equal images; this and the result are int64 (n,), from 0.
    """
    start = int(groups.max()) + 1
    pairs = np.stack([groups, start + equal], axis=1)
    of_node = duplicates.connected(pairs, start + int(equal.max()) + 1)
    return np.unique(of_node[groups], return_inverse=True)[1]


def assign(
    labels: np.ndarray, groups: np.ndarray, shares: Sequence[float], state: np.random.RandomState
) -> np.ndarray:
    """Assign whole groups to parts, so that each part gets its share of each class and in total.

    Greedy: groups are taken by size, largest first, shuffled among similar sizes. Each goes to the
    part where it adds least to the sum over classes, and all images as one more class, of
    (images - due)^2 / (images of the class x due).

    `labels` and `groups` are int64 (n,), the latter from 0 without gaps; the positive `shares` of
    the parts sum to 1. Returns int64 (n,), the part of each image.
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
