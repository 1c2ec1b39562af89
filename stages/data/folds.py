"""Stratified splits by scikit-learn, with error messages that name the setting and the class."""

import math
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils import resample

from stages.data.random_states import random_state
from stages.errors import UserError


def stratified_folds(
    labels: np.ndarray, classes: Sequence[str], count: int, repeats: int, seed: int
) -> np.ndarray:
    """Assign each image to the fold that validates it, once per repeat.

    Fold sizes differ by at most one, and so do the folds' counts of each class.

    Args:
        labels: int64 (n,), the training labels.
        classes: the class names.
        count: the number of folds, 2 or more.
        repeats: how many times to split; each repeat shuffles with its own random state.
        seed: fixes the shuffles.

    Returns:
        int16 (repeats, n), the fold number of each image, 0 to count - 1.

    Raises:
        UserError: when a class has fewer images than there are folds.
    """
    sizes = np.bincount(labels, minlength=len(classes))
    smallest = int(np.argmin(sizes))
    if sizes[smallest] < count:
        remedy = f"use at most {sizes[smallest]} folds or " if sizes[smallest] >= 2 else ""
        raise UserError(
            f"folds.count is {count}, but class {classes[smallest]!r} has only {sizes[smallest]} "
            f"different training images; {remedy}give the class more images."
        )
    folds = np.empty((repeats, len(labels)), np.int16)
    for repeat in range(repeats):
        state = random_state("folds", seed, repeat)
        splitter = StratifiedKFold(count, shuffle=True, random_state=state)
        for fold, (_, validation) in enumerate(splitter.split(labels, labels)):
            folds[repeat, validation] = fold
    return folds


def hold_out(
    labels: np.ndarray, classes: Sequence[str], fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose a stratified test set for a source without one.

    Args:
        labels: int64 (n,).
        classes: the class names.
        fraction: the test set's share of the images, between 0 and 1.
        seed: fixes the choice.

    Returns:
        The indices of the training images and of the test images, both ascending.

    Raises:
        UserError: when a class has a single image, or would be missing from either set.
    """
    sizes = np.bincount(labels, minlength=len(classes))
    smallest = int(np.argmin(sizes))
    if sizes[smallest] < 2:
        raise UserError(
            f"class {classes[smallest]!r} has only {sizes[smallest]} different images, too few to "
            "train and to test; give the class more images or leave it out."
        )
    count = round(fraction * len(labels))
    if count < len(classes):
        raise UserError(
            f"data.test_fraction is {fraction}, which is {count} of {len(labels)} images for "
            f"{len(classes)} classes; use {math.ceil(1000 * len(classes) / len(labels)) / 1000} "
            "or more."
        )
    if len(labels) - count < len(classes):
        raise UserError(
            f"data.test_fraction is {fraction}, which leaves {len(labels) - count} of "
            f"{len(labels)} images to train {len(classes)} classes; use a smaller fraction."
        )
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=count,
        stratify=labels,
        random_state=random_state("test set", seed),
    )
    for name, rows in (("training", train), ("test", test)):
        _check_classes(labels[rows], classes, f"data.test_fraction {fraction}", name)
    return np.sort(train), np.sort(test)


def at_most(
    limit: int | None, labels: np.ndarray, classes: Sequence[str], split: str, seed: int
) -> np.ndarray:
    """Choose at most `limit` images, stratified; all of them when it is None.

    Args:
        limit: the setting `data.limit`.
        labels: int64 (n,).
        classes: the class names.
        split: "training" or "test"; each has its own random state.
        seed: fixes the choice.

    Returns:
        The indices of the chosen images, ascending.

    Raises:
        UserError: when there are more classes than `limit`, or a class gets no image.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    if limit < len(classes):
        raise UserError(
            f"data.limit is {limit}, but there are {len(classes)} classes; use {len(classes)} or "
            "more, or null for all images."
        )
    chosen = resample(  # train_test_split would refuse a rest that is smaller than the classes
        np.arange(len(labels)),
        replace=False,
        n_samples=limit,
        stratify=labels,
        random_state=random_state(f"limit of {split} images", seed),
    )
    _check_classes(labels[chosen], classes, f"data.limit {limit}", split)
    return np.sort(chosen)


def _check_classes(labels: np.ndarray, classes: Sequence[str], setting: str, split: str) -> None:
    """Refuse a choice without an image of some class, as proportional shares can give."""
    sizes = np.bincount(labels, minlength=len(classes))
    if not sizes.all():
        raise UserError(
            f"{setting} leaves no {split} image of class {classes[int(np.argmin(sizes))]!r}; use "
            "another value or give the class more images."
        )
