"""Random states for the splits: each purpose draws from its own stream.

The seeds in params.yaml are all 1 by default. Without the purpose, the test set and the folds would
come from one stream, since NumPy treats the seeds 1 and [1, 0] alike.
"""

import numpy as np

PURPOSES = ("test set", "folds", "limit of training images", "limit of test images")


def random_state(purpose: str, seed: int, repeat: int = 0) -> np.random.RandomState:
    """Return scikit-learn's kind of generator for one of PURPOSES and one repeat of the folds."""
    return np.random.RandomState(np.random.MT19937([seed, repeat, 1 + PURPOSES.index(purpose)]))
