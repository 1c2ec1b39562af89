"""Augment a few training images for the augmentation figure."""

from collections.abc import Sequence

import numpy as np

from stages.augment import augmenter
from stages.engine import fold_store, workers
from stages.engine.fold_tasks import Arrays
from stages.settings.sections import Kernels, Named, Parallel
from stages.training.fold import derive_seed
from stages.training.recipe import Recipe
from stages.training.shrink import shrunk
from stages.training.tf_runtime import import_tensorflow

IMAGES = 8  # number of images, from as many classes as possible
DRAWS = 2  # random draws per op


def preview(
    fingerprint: str, recipe: Recipe | None, arrays: Arrays, parallel: Parallel
) -> dict[str, np.ndarray]:
    """Return some training images, augmented by each op separately and by all ops together.

    The result is stored under the variant's fingerprint. The recipe of an ensemble is None.

    Returns:
        `original` uint8 (n, height, width, channels), and `changed` uint8 (rows, DRAWS, n, height,
        width, channels) with one row per op and, if there are several, one for all of them. The
        draws depend only on the variant's seed and name, and differ from those in training.
    """
    rank = np.zeros(len(arrays.labels), np.int64)  # position among the images of the class
    for number in range(arrays.classes):
        members = arrays.labels == number
        rank[members] = np.arange(members.sum())
    rows = np.lexsort((arrays.labels, rank))[:IMAGES]  # each class' first image, then its second
    original = np.asarray(arrays.images[rows])
    if recipe and recipe.shrink > 1:
        original = np.rint(shrunk(original, recipe.shrink)).astype(np.uint8)
    if not recipe or not recipe.augmentation:
        return {"original": original, "changed": np.zeros((0, DRAWS, *original.shape), np.uint8)}
    ops = recipe.augmentation
    seed = derive_seed(recipe.train.seed, recipe.variant, "preview")

    def augment() -> dict[str, np.ndarray]:
        lists = [[op] for op in ops] + ([ops] if len(ops) > 1 else [])
        task = (lists, original, arrays.labels[rows], arrays.classes, seed, recipe.train.kernels)
        ((_, changed),) = workers.run(augmented, [task], parallel.local_jobs)
        return {"original": original, "changed": changed}

    return fold_store.arrays(fold_store.folder(fingerprint) / "preview.npz", augment)


def augmented(
    lists: Sequence[Sequence[Named]],
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    seed: int,
    kernels: Kernels,
) -> np.ndarray:
    """Augment a batch by each list of ops; return `changed` as `preview` does."""
    tf = import_tensorflow(kernels)
    batch, target = tf.cast(images, tf.float32), tf.one_hot(labels, classes)
    seeds = [tf.constant([seed, 1000 * draw]) for draw in range(DRAWS)]
    changed = [[augmenter(ops)(batch, target, key)[0] for key in seeds] for ops in lists]
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)
