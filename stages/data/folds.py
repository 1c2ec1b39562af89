"""Stratified splits by scikit-learn, or of whole groups by `stages.data.groups.assign`.

The functions share these arguments: `labels` int64 (n,); `classes`, the class names; a section of
params.yaml, whose seed fixes the shuffles; `groups` int64 (n,), from 0 without gaps, whose images
are not separated, or None. A UserError names the class with too few images or groups.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils import resample

from stages.data.groups import assign
from stages.errors import UserError
from stages.settings.sections import Data, Folds

PURPOSES = ("test set", "folds", "limit of training images", "limit of test images")


def random_state(purpose: str, seed: int, repeat: int = 0) -> np.random.RandomState:
    """Return scikit-learn's kind of generator, an independent stream for each of PURPOSES.

    The seeds in params.yaml are all 1 by default. Without the purpose, the test set and the folds
    would come from one stream, since NumPy treats the seeds 1 and [1, 0] alike.
    """
    return np.random.RandomState(np.random.MT19937([seed, repeat, 1 + PURPOSES.index(purpose)]))


def stratified_folds(
    labels: np.ndarray, classes: Sequence[str], settings: Folds, groups: np.ndarray | None = None
) -> np.ndarray:
    """Assign each image to the fold that validates it, int16 (repeats, n), 0 to count - 1.

    Without groups, fold sizes differ by at most one, and so do the folds' counts of each class.
    """
    count = settings.count
    name, size, what = _smallest(labels, classes, groups)
    if size < count:
        remedy = f"use at most {size} folds, or " if size >= 2 else ""
        raise UserError(
            f"folds.count is {count}, but class {name!r} has only {what} outside the test "
            f"set; {remedy}add more to the class."
        )
    folds = np.empty((settings.repeats, len(labels)), np.int16)
    for repeat, fold_of in enumerate(folds):
        state = random_state("folds", settings.seed, repeat)
        if groups is None:
            splitter = StratifiedKFold(count, shuffle=True, random_state=state)
            for fold, (_, validation) in enumerate(splitter.split(labels, labels)):
                fold_of[validation] = fold
            continue
        fold_of[:] = assign(labels, groups, [1 / count] * count, state)
        for label, name in enumerate(classes):
            if not np.ptp(fold_of[labels == label]):
                raise UserError(
                    f"groups of images that stay together (folds.group, data.near_duplicates) put "
                    f"all of class {name!r} into one fold; use another folds.seed, fewer folds or "
                    "smaller groups."
                )
    return folds


def hold_out(
    labels: np.ndarray, classes: Sequence[str], settings: Data, groups: np.ndarray | None = None
) -> np.ndarray:
    """Choose a stratified test set of `data.test_fraction`; return a mask, bool (n,).

    Every class has images inside and outside it: if some class's share is less than one image, each
    class contributes its own rounded share, at least one image, and keeps at least one.
    """
    name, size, what = _smallest(labels, classes, groups)
    if size < 2:
        raise UserError(
            f"class {name!r} has only {what}, too few to train and to test; add more to the class, "
            "or leave it out."
        )
    fraction, state = settings.test_fraction, random_state("test set", settings.seed)
    if groups is not None:
        in_test = assign(labels, groups, [1 - fraction, fraction], state) == 1
        setting = f"data.test_fraction {fraction}"
        _check_classes(labels[~in_test], classes, setting, "training")
        _check_classes(labels[in_test], classes, setting, "test")
        return in_test
    count, rows = round(fraction * len(labels)), np.arange(len(labels))
    if len(classes) <= count <= len(labels) - len(classes):
        chosen = train_test_split(rows, test_size=count, stratify=labels, random_state=state)[1]
        in_test = np.isin(rows, chosen)
        if all(len({*labels[part]}) == len(classes) for part in (in_test, ~in_test)):
            return in_test
    in_test = np.zeros(len(labels), bool)
    for label in range(len(classes)):
        own = np.flatnonzero(labels == label)
        share = int(np.clip(round(fraction * len(own)), 1, len(own) - 1))
        in_test[state.permutation(own)[:share]] = True
    return in_test


def at_most(labels: np.ndarray, classes: Sequence[str], settings: Data, split: str) -> np.ndarray:
    """Choose `data.limit` images of a split, stratified, or all; return ascending indices.

    `split` is "training" or "test"; each has its own random state.
    """
    rows, limit = np.arange(len(labels)), settings.limit
    if limit is None or limit >= len(labels):
        return rows
    state = random_state(f"limit of {split} images", settings.seed)
    # train_test_split would refuse a remainder with fewer images than classes
    rows = resample(rows, replace=False, n_samples=limit, stratify=labels, random_state=state)
    _check_classes(labels[rows], classes, f"data.limit {limit}", split)
    return np.sort(rows)


def _smallest(
    labels: np.ndarray, classes: Sequence[str], groups: np.ndarray | None
) -> tuple[str, int, str]:
    """Return the class with the fewest images or groups, their number, and this in words."""
    one, more = "different image", "different images"
    if groups is not None:
        one, more = "group of images", "groups of images"
        labels = np.unique([labels, groups], axis=1)[0]  # of each class in each group
    sizes = np.bincount(labels, minlength=len(classes)).tolist()
    least = min(sizes)
    return classes[sizes.index(least)], least, f"{least} {one if least == 1 else more}"


def _check_classes(labels: np.ndarray, classes: Sequence[str], setting: str, split: str) -> None:
    """Refuse a selection without an image of some class, which proportional shares can produce."""
    name, size, _ = _smallest(labels, classes, None)
    if not size:
        raise UserError(
            f"{setting} leaves no {split} image of class {name!r}; use another value or give the "
            "class more images or groups."
        )
