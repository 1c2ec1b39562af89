"""What a variant's augmentation makes of a few training images, for a picture of it."""

from collections.abc import Sequence

import numpy as np

from stages.augment import augmenter
from stages.engine import fold_store, workers
from stages.engine.plan import Arrays
from stages.sections import Named, Parallel
from stages.training.fold import derive_seed
from stages.training.recipe import Recipe
from stages.training.starting import import_tensorflow

IMAGES = 8  # of as many classes as there are
DRAWS = 2  # random draws of each op


def preview(
    mark: str, recipe: Recipe | None, arrays: Arrays, parallel: Parallel
) -> dict[str, np.ndarray]:
    """Return some training images, and what each op alone and all together make of them.

    Args:
        mark: the variant's fingerprint, under which the answer is kept.
        recipe: the variant's settings; None for an ensemble, which augments nothing.
        arrays: what it is trained on.
        parallel: where and how many at a time.

    Returns:
        `original` uint8 (n, height, width, channels), and `changed` uint8 (rows, DRAWS, n, height,
        width, channels) with a row for each op and, where there are several, one for all of them.
        The draws depend on the variant's seed and name only, and are not those of any epoch.
    """
    rows = _chosen(arrays.labels, arrays.classes)
    original = np.asarray(arrays.images[rows])
    ops = recipe.augmentation if recipe else []
    if not ops:
        return {"original": original, "changed": np.zeros((0, DRAWS, *original.shape), np.uint8)}
    kept = fold_store.load_arrays(mark, "preview")
    if kept is not None:
        return kept
    seed = derive_seed(recipe.train.seed, recipe.variant, "preview")
    lists = [[op] for op in ops] + ([ops] if len(ops) > 1 else [])
    task = (lists, original, arrays.labels[rows], arrays.classes, seed)
    ((_, changed),) = workers.run(augmented, [task], parallel.local_jobs)
    made = {"original": original, "changed": changed}
    fold_store.save_arrays(mark, "preview", made)
    return made


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
        seed: of the draws.

    Returns:
        uint8 (lists, DRAWS, n, height, width, channels), rounded.
    """
    tf = import_tensorflow()
    batch, target = tf.cast(images, tf.float32), tf.one_hot(labels, classes)
    seeds = [tf.constant([seed, 1000 * draw]) for draw in range(DRAWS)]  # ops add to the second
    changed = [[augmenter(ops)(batch, target, own)[0] for own in seeds] for ops in lists]
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def _chosen(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the rows of the first images of each class in turn, at most IMAGES."""
    turn = np.zeros(len(labels), np.int64)
    for number in range(classes):
        (own,) = np.nonzero(labels == number)
        turn[own] = np.arange(len(own))
    return np.lexsort((labels, turn))[:IMAGES]
