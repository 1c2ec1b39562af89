"""Which images train, validate and test: stratified, seeded, in the source's order.

The folds are dealt as scikit-learn's StratifiedKFold deals them (each class in turn, round and
round over the folds), so class counts and fold sizes differ by at most one. They are dealt here
since that takes three lines, where importing scikit-learn takes longer than preparing MNIST.
"""

import math
from collections.abc import Sequence

import numpy as np

from stages.data.generators import generator
from stages.errors import UserError


def stratified_folds(
    labels: np.ndarray, classes: Sequence[str], count: int, repeats: int, seed: int
) -> np.ndarray:
    """Assign each image to the fold that validates it, once for each repeat.

    Args:
        labels: int64 (n,), the training labels.
        classes: the class names.
        count: the number of folds, 2 or more.
        repeats: how often to divide anew; each repeat shuffles with a seed of its own.
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
        order = _by_class(labels, generator("folds", seed, repeat))
        folds[repeat, order] = np.arange(len(labels)) % count
    return folds


def hold_out(
    labels: np.ndarray, classes: Sequence[str], fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose a stratified test set where the source brings none.

    Args:
        labels: int64 (n,).
        classes: the class names.
        fraction: the share of the images that test, between 0 and 1.
        seed: fixes the choice.

    Returns:
        The indices of the training images and of the test images, both ascending.

    Raises:
        UserError: when a class has a single image, or the test set fewer images than classes.
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
    test = choose(labels, count, generator("test set", seed))
    return np.setdiff1d(np.arange(len(labels)), test, assume_unique=True), test


def at_most(
    limit: int | None, labels: np.ndarray, classes: Sequence[str], generator: np.random.Generator
) -> np.ndarray:
    """Choose at most `limit` images, stratified; all of them when it is None.

    Returns:
        The indices of the chosen images, ascending.

    Raises:
        UserError: when there are more classes than `limit`.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    if limit < len(classes):
        raise UserError(
            f"data.limit is {limit}, but there are {len(classes)} classes; use {len(classes)} or "
            "more, or null for all images."
        )
    return choose(labels, limit, generator)


def choose(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Choose `count` images at random, each class by its share, but at least one of each.

    The shares are rounded as Sainte-Lague rounds seats: of a class with s images the next one
    after r is due at (r + 1/2) / s.

    Args:
        labels: int64 (n,).
        count: from the number of classes present to n.
        generator: decides which images of a class are chosen.

    Returns:
        int64 (count,), ascending indices.
    """
    order = _by_class(labels, generator)
    sizes = np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    grouped = labels[order]
    rank = np.arange(len(labels)) - starts[grouped]
    due = np.where(rank == 0, 0, (rank + 0.5) / sizes[grouped])
    return np.sort(order[np.argsort(due, kind="stable")[:count]])


def _by_class(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return all indices, one class after the other, in random order within each."""
    order = generator.permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]
