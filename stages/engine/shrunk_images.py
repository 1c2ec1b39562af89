"""Compute the shrunk images of rows with `shrink` once; they are stored beside the features."""

import os
from collections.abc import Mapping

import numpy as np

from stages import files
from stages.engine import identity
from stages.errors import UserError
from stages.training.recipe import Recipe
from stages.training.shrink import shrunk

BLOCK = 256  # images at a time


def check(recipe: Recipe, dataset: Mapping) -> None:
    """Check that a row's `shrink` divides the sides of the prepared images.

    `dataset` is the content of dataset.json. Raises UserError otherwise.
    """
    if recipe.shrink == 1:
        return
    height, width, _ = dataset["image_shape"]
    if height % recipe.shrink or width % recipe.shrink:
        raise UserError(
            f"variants.{recipe.variant}.shrink is {recipe.shrink}, which does not divide the sides "
            f"of the prepared images, {height}x{width} pixels; use a smaller power of two, or "
            "another data.image_size."
        )


def inputs(recipes: Mapping[str, Recipe], images: np.ndarray) -> dict[str, np.ndarray]:
    """Return fingerprint -> the images that each recipe trains on.

    They are `images`, uint8 (n, height, width, channels), or memory-mapped averages of its blocks,
    float32 (n, height / shrink, width / shrink, channels).
    """
    digest = identity.of_arrays([images]) if any(one.shrink > 1 for one in recipes.values()) else ""
    of_factor = {
        factor: _shrunk(images, digest, factor)
        for factor in {recipe.shrink for recipe in recipes.values()} - {1}
    }
    return {key: of_factor.get(recipe.shrink, images) for key, recipe in recipes.items()}


def _shrunk(images: np.ndarray, digest: str, factor: int) -> np.ndarray:
    """Return the images shrunk by a factor; they are computed unless their file exists."""
    key = identity.digest([digest, images.shape, "shrink", factor, identity.code()])
    path = files.root() / ".foldlab" / "features" / f"{key}.npy"
    if path.exists():
        os.utime(path)  # marks it as used: `fold_store.prune` deletes old files
        return np.load(path, mmap_mode="r")
    count, height, width, channels = images.shape
    shape = count, height // factor, width // factor, channels
    starts = range(0, count, BLOCK)
    blocks = (shrunk(images[start : start + BLOCK], factor) for start in starts)
    files.write_blocks(path, np.dtype("<f4"), shape, blocks)
    return np.load(path, mmap_mode="r")
