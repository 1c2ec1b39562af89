"""Compute the features of frozen backbones once for all folds and variants that share them.

They are stored in `.foldlab/features/` under a fingerprint of images, backbone, code and
environment. Blocks are stored first, so that an interrupted computation continues from them.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from stages import files
from stages.engine import backbones, environment, identity, workers
from stages.settings.sections import Parallel
from stages.training.features import BLOCK, features
from stages.training.recipe import Recipe


def inputs(
    recipes: Mapping[str, Recipe], images: Mapping[str, np.ndarray], parallel: Parallel
) -> dict[str, np.ndarray]:
    """Return the inputs of each recipe's training: its images, or a backbone's features of them.

    Args:
        recipes: fingerprint -> recipe.
        images: fingerprint -> uint8 or float32 (n, height, width, channels).
        parallel: how many blocks to compute at a time; always on this machine.

    Returns:
        fingerprint -> its images or memory-mapped float32 (n, predict_views + views, d), the same
        array for all recipes that share images, a backbone and views.
    """
    found: dict[Path, np.ndarray] = {}
    input_of = dict(images)
    digest_of: dict[int, str] = {}  # by the array's id
    for fingerprint, recipe in recipes.items():
        if backbones.has_backbone(recipe):
            own = images[fingerprint]
            if id(own) not in digest_of:
                digest_of[id(own)] = identity.of_arrays([own])
            weights = backbones.weights(recipe)
            path = _path(digest_of[id(own)], own.shape, recipe, weights)
            if path not in found:
                if not path.exists():
                    with _turn():
                        _compute(path, own, recipe, weights, parallel.local_jobs)
                os.utime(path)  # marks it as used: `fold_store.prune` deletes old files
                found[path] = np.load(path, mmap_mode="r")
            input_of[fingerprint] = found[path]
    return input_of


def _path(digest: str, shape: tuple, recipe: Recipe, weights: Path) -> Path:
    """Return the file of features; the name of the weights' file identifies the backbone."""
    views = recipe.architecture.arguments["views"]
    augmentation = [op.model_dump() for op in recipe.augmentation]
    train = recipe.train
    augmented = [views, train.seed, augmentation, train.predict_views] if views else []
    current = environment.current(train.kernels)
    key = identity.digest([digest, shape, weights.name, augmented, identity.code(), current])
    return files.root() / ".foldlab" / "features" / f"{key}.npy"


@contextmanager
def _turn() -> Iterator[None]:
    """Wait until no other process computes features: blocks have the same names in all of them."""
    lock = FileLock(files.root() / ".foldlab" / "features.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("foldlab: waiting for another process that computes features.", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _compute(
    path: Path, images: np.ndarray, recipe: Recipe, weights: Path, jobs: int | None
) -> None:
    """Write the file of features unless it exists; blocks of an earlier attempt are reused."""
    if path.exists():  # another process has computed them meanwhile
        return
    folder = path.with_suffix("")
    blocks = {start: folder / f"{start:08d}.npy" for start in range(0, len(images), BLOCK)}
    missing = [start for start, file in blocks.items() if not file.exists()]
    calls = [(images[start : start + BLOCK], recipe, weights, start) for start in missing]
    done = len(images) - sum(len(part) for part, *_ in calls)
    name = recipe.architecture.arguments["name"]
    with tqdm(
        total=len(images), initial=done, desc=f"{name} features", unit="image", disable=None
    ) as bar:
        for position, block in workers.run(features, calls, jobs):
            with files.replacing(blocks[missing[position]]) as temporary:
                np.save(temporary, block)
            bar.update(len(block))
    parts = [np.load(file, mmap_mode="r") for file in blocks.values()]
    files.write_blocks(path, np.dtype("<f4"), (len(images), *parts[0].shape[1:]), parts)
    shutil.rmtree(folder)
