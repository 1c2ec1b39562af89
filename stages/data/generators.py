"""Random generators of the splits: each purpose draws from a stream of its own.

The seeds in params.yaml are all 1 by default. Without the purpose, the test set and the folds would
be drawn from one stream: NumPy reads the seeds 1 and [1, 0] alike.
"""

import numpy as np

PURPOSES = ("test set", "folds", "limit of training images", "limit of test images")


def generator(purpose: str, seed: int, repeat: int = 0) -> np.random.Generator:
    """Return the generator for one purpose, one of PURPOSES, and one repeat of the folds."""
    return np.random.default_rng([seed, repeat, 1 + PURPOSES.index(purpose)])
