"""Augment a few training images for the augmentation figure."""

from collections.abc import Sequence

import numpy as np

from stages.augment import augmenter
from stages.engine import fold_store, workers
from stages.engine.fold_tasks import Arrays
from stages.settings.sections import Named, Parallel
from stages.training.fold import derive_seed
from stages.training.recipe import Recipe
from stages.training.tf_runtime import import_tensorflow

IMAGES = 8  # number of images, from as many classes as possible
DRAWS = 2  # random draws per op


def preview(
    fingerprint: str, recipe: Recipe | None, arrays: Arrays, parallel: Parallel
) -> dict[str, np.ndarray]:
    """Return some training images, augmented by each op separately and by all ops together.

    Args:
        fingerprint: the variant's fingerprint, the key under which the result is stored.
        recipe: the variant's settings; None for an ensemble, which has no augmentation.
        arrays: the training data.
        parallel: where to run, and how many processes at a time.

    Returns:
        `original` uint8 (n, height, width, channels), and `changed` uint8 (rows, DRAWS, n, height,
        width, channels) with one row per op and, if there are several, one for all of them. The
        draws depend only on the variant's seed and name, and differ from those in training.
    """
    rows = _select(arrays.labels, arrays.classes)
    original = np.asarray(arrays.images[rows])
    ops = recipe.augmentation if recipe else []
    if not ops:
        return {"original": original, "changed": np.zeros((0, DRAWS, *original.shape), np.uint8)}
    stored = fold_store.load_arrays(fingerprint, "preview")
    if stored is not None:
        return stored
    seed = derive_seed(recipe.train.seed, recipe.variant, "preview")
    lists = [[op] for op in ops] + ([ops] if len(ops) > 1 else [])
    task = (lists, original, arrays.labels[rows], arrays.classes, seed)
    ((_, changed),) = workers.run(augmented, [task], parallel.local_jobs)
    result = {"original": original, "changed": changed}
    fold_store.save_arrays(fingerprint, "preview", result)
    return result


def augmented(
    lists: Sequence[Sequence[Named]],
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    seed: int,
) -> np.ndarray:
    """Augment the same batch by several lists of ops, DRAWS times each.

    Args:
        lists: ops with all of their arguments.
        images: uint8 (n, height, width, channels).
        labels: int64 (n,).
        classes: number of classes.
        seed: seed of the random draws.

    Returns:
        uint8 (lists, DRAWS, n, height, width, channels), rounded.
    """
    tf = import_tensorflow()
    batch, target = tf.cast(images, tf.float32), tf.one_hot(labels, classes)
    seeds = [tf.constant([seed, 1000 * draw]) for draw in range(DRAWS)]
    changed = [[augmenter(ops)(batch, target, key)[0] for key in seeds] for ops in lists]
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def _select(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the rows of the first image of each class, then of the second, up to IMAGES."""
    rank = np.zeros(len(labels), np.int64)  # position among the images of its class
    for number in range(classes):
        (members,) = np.nonzero(labels == number)
        rank[members] = np.arange(len(members))
    return np.lexsort((labels, rank))[:IMAGES]
