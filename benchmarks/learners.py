"""The simulated learners of verdict_battery.py.

Each takes x, float (n, features), labels (n,) of 0 and 1, new, (m, features), and a seed, and
returns the predicted classes of `new`, (m,).
"""

from collections.abc import Callable
from functools import partial

import numpy as np


def _nearest_mean(x: np.ndarray, labels: np.ndarray, new: np.ndarray, seed: int) -> np.ndarray:
    """Predict the class with the nearer mean; x float (n, features), new (m, features)."""
    distance = [((new - x[labels == k].mean(axis=0)) ** 2).sum(axis=1) for k in (0, 1)]
    return (distance[1] < distance[0]).astype(int)


def _nearest_mean_of(
    choose: Callable[[int], int],
    replace: bool,
    x: np.ndarray,
    labels: np.ndarray,
    new: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Predict as _nearest_mean, from a random subset, so that chance moves a whole fold.

    `choose` maps the number of all images to the number drawn per class.
    """
    random = np.random.default_rng([seed, *x[:1].view(np.uint32).ravel()])
    count = choose(len(labels))
    few = [random.choice(np.flatnonzero(labels == k), count, replace=replace) for k in (0, 1)]
    rows = np.concatenate(few)
    return _nearest_mean(x[rows], labels[rows], new, seed)


def _sklearn(name: str, x: np.ndarray, labels: np.ndarray, new: np.ndarray, seed: int):
    import sklearn
    from sklearn import ensemble, linear_model, neighbors, tree

    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        learner = {
            "nearest": lambda: neighbors.KNeighborsClassifier(1, algorithm="brute"),
            "tree": lambda: tree.DecisionTreeClassifier(random_state=seed),
            "logistic": linear_model.LogisticRegression,
            "forest": lambda: ensemble.RandomForestClassifier(5, random_state=seed),
        }[name]()
        return learner.fit(x, labels).predict(new)


LEARNERS = {name: partial(_sklearn, name) for name in ("nearest", "tree", "logistic", "forest")}
LEARNERS |= {
    "nearest_mean": _nearest_mean,
    "half": partial(_nearest_mean_of, lambda n: n // 4, False),
    "chance": partial(_nearest_mean_of, lambda n: 5, True),
}
