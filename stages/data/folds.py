"""Stratified splits by scikit-learn, or of whole groups by `stages.data.groups.assign`.

The arguments are alike: `labels` int64 (n,); `classes`, the class names; `seed`, which fixes the
shuffles; `groups` int64 (n,), from 0 without gaps, whose images are not separated, or None.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils import resample

from stages.data.groups import assign
from stages.errors import UserError

PURPOSES = ("test set", "folds", "limit of training images", "limit of test images")


def random_state(purpose: str, seed: int, repeat: int = 0) -> np.random.RandomState:
    """Return scikit-learn's kind of generator, a stream of its own for each of PURPOSES.

    The seeds in params.yaml are all 1 by default. Without the purpose, the test set and the folds
    would come from one stream, since NumPy treats the seeds 1 and [1, 0] alike.
    """
    return np.random.RandomState(np.random.MT19937([seed, repeat, 1 + PURPOSES.index(purpose)]))


def stratified_folds(
    labels: np.ndarray,
    classes: Sequence[str],
    count: int,
    repeats: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Assign each image to the fold that validates it, once per repeat.

    Without groups, fold sizes differ by at most one, and so do the folds' counts of each class.

    Returns:
        int16 (repeats, n), the fold number of each image, 0 to count - 1.

    Raises:
        UserError: when a class has fewer images, or groups, than there are folds, or its groups
            are all in one fold.
    """
    name, size, what = _smallest(labels, classes, groups)
    if size < count:
        remedy = f"use at most {size} folds or " if size >= 2 else ""
        raise UserError(
            f"folds.count is {count}, but class {name!r} has only {size} {what} to train with; "
            f"{remedy}give the class more."
        )
    folds = np.empty((repeats, len(labels)), np.int16)
    for repeat, fold_of in enumerate(folds):
        state = random_state("folds", seed, repeat)
        if groups is None:
            splitter = StratifiedKFold(count, shuffle=True, random_state=state)
            for fold, (_, validation) in enumerate(splitter.split(labels, labels)):
                fold_of[validation] = fold
            continue
        fold_of[:] = assign(labels, groups, [1 / count] * count, state)
        for label, name in enumerate(classes):
            if not np.ptp(fold_of[labels == label]):
                raise UserError(
                    f"the groups of folds.group put all of class {name!r} into one fold; use "
                    "another folds.seed, fewer folds or smaller groups."
                )
    return folds


def hold_out(
    labels: np.ndarray,
    classes: Sequence[str],
    fraction: float,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Choose a stratified test set, a `fraction` of all images; return a mask, bool (n,).

    Raises:
        UserError: when a class has a single image or group, or would be missing from either set.
    """
    name, size, what = _smallest(labels, classes, groups)
    if size < 2:
        raise UserError(
            f"class {name!r} has only {size} {what}, too few to train and to test; give the class "
            "more or leave it out."
        )
    state, in_test = random_state("test set", seed), np.zeros(len(labels), bool)
    setting = f"data.test_fraction {fraction}"
    if groups is not None:
        in_test = assign(labels, groups, [1 - fraction, fraction], state) == 1
    else:
        count = round(fraction * len(labels))
        if not len(classes) <= count <= len(labels) - len(classes):
            raise UserError(
                f"{setting} is {count} of {len(labels)} images; use one that leaves {len(classes)} "
                "or more to test and to train with, one for each class."
            )
        rows = np.arange(len(labels))
        chosen = train_test_split(rows, test_size=count, stratify=labels, random_state=state)[1]
        in_test[chosen] = True
    _check_classes(labels[~in_test], classes, setting, "training")
    _check_classes(labels[in_test], classes, setting, "test")
    return in_test


def at_most(
    limit: int | None, labels: np.ndarray, classes: Sequence[str], split: str, seed: int
) -> np.ndarray:
    """Choose at most `limit` images of a split, stratified, or all; return ascending indices.

    Args:
        split: "training" or "test"; each has its own random state.

    Raises:
        UserError: when a class gets no image.
    """
    rows = np.arange(len(labels))
    if limit is None or limit >= len(labels):
        return rows
    state = random_state(f"limit of {split} images", seed)
    # train_test_split would refuse a rest that is smaller than the classes
    rows = resample(rows, replace=False, n_samples=limit, stratify=labels, random_state=state)
    _check_classes(labels[rows], classes, f"data.limit {limit}", split)
    return np.sort(rows)


def _smallest(
    labels: np.ndarray, classes: Sequence[str], groups: np.ndarray | None
) -> tuple[str, int, str]:
    """Return the class with the fewest images or groups, their number, and what was counted."""
    what = "different images" if groups is None else "groups of folds.group"
    if groups is not None:
        labels = np.unique([labels, groups], axis=1)[0]  # of each class in each group
    sizes = np.bincount(labels, minlength=len(classes))
    smallest = int(np.argmin(sizes))
    return classes[smallest], int(sizes[smallest]), what


def _check_classes(labels: np.ndarray, classes: Sequence[str], setting: str, split: str) -> None:
    """Refuse a choice without an image of some class, as proportional shares can give."""
    sizes = np.bincount(labels, minlength=len(classes))
    if not sizes.all():
        raise UserError(
            f"{setting} leaves no {split} image of class {classes[int(np.argmin(sizes))]!r}; use "
            "another value or give the class more images or groups."
        )
