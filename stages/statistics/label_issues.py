"""Training images whose label should be checked, by out-of-fold probabilities of all variants.

An image x with the label g is scored by its most probable other class j. By Bayes' rule, and if the
classes were equally frequent in training, the odds that j and not g is its true class are

    p(j | x) / p(g | x) * P(class j | label g) / P(class g | label g).

p is the variants' geometric mean. How often a label is wrong, and which class is then the true one,
is estimated from the confident joint (Northcutt, Jiang and Chuang 2021, Confident Learning, section
3.1), which counts images by label and confidently predicted class. Few labels are wrong, so the
last probability is taken as 1.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logsumexp

SHARE = 0.05  # of the training images: at most so many are listed
MOST = 200  # listed images
LEAST = 1e-7  # probability; float32 cannot tell 1 minus a smaller one from 1
# The confident joint also counts the models' own mistakes, and has few counts for a label with few
# images. So its weight is at most JOINT, and half of that for a label with IMAGES images. Both were
# chosen on other data than those of the benchmark: docs/experiments.md, 2026-11-29.
JOINT, IMAGES = 1 / 3, 400
COLUMNS = ("row", "file", "given", "suggested", "score", "variants")


class Issue(NamedTuple):
    """A training image that should be looked at; classes are numbers from 0."""

    row: int  # of the training images, from 0
    given: int
    suggested: int
    score: float  # of the odds above, as a probability; too high if the models often err
    variants: int  # that predict the suggested class


def combined(probabilities: Iterable[np.ndarray]) -> np.ndarray:
    """Return the logarithm of the variants' normalised geometric mean: float64 (n, classes).

    Each of `probabilities` is of one variant, (n, classes), out of sample.
    """
    total, count = np.zeros(1), 0
    for probability in probabilities:
        logs = np.clip(probability, LEAST, 1, dtype=np.float64)
        total, count = np.add(total, np.log(logs, out=logs), out=logs), count + 1
    total /= count
    total -= logsumexp(total, axis=1, keepdims=True)
    return total


def order(log_probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return all images by how likely their label is wrong, worst first: int64 (n,).

    `log_probability` is float (n, classes), from `combined`; `label` is int (n,).
    """
    odds, _ = _log_odds(log_probability, label, _wrong(log_probability, label))
    return np.argsort(-odds, kind="stable")


def find(log_probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> list[Issue]:
    """Return the images to look at, worst first; arguments as for `order`.

    `predicted` is int (variants, n), the class that each variant predicts.

    At most as many are listed as the confident joint has off its diagonal, SHARE of all images, and
    MOST. Images whose label is their most probable class are not listed.
    """
    wrong = _wrong(log_probability, label)
    odds, suggested = _log_odds(log_probability, label, wrong)
    rows = np.arange(len(label))
    contradicted = log_probability[rows, suggested] > log_probability[rows, label]
    count = min(int(wrong.sum()), MOST, math.ceil(SHARE * len(label)))
    worst = [row for row in np.argsort(-odds, kind="stable").tolist() if contradicted[row]]
    votes = (predicted == suggested).sum(axis=0)
    return [
        Issue(row, int(label[row]), int(suggested[row]), float(expit(odds[row])), int(votes[row]))
        for row in worst[:count]
    ]


def _wrong(log_probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Count images by label and confidently predicted other class: int64 (classes, classes).

    That is the most probable of the classes whose probability reaches its mean over the images
    with that label. This is the confident joint without its diagonal.
    """
    probability, classes = np.exp(log_probability), log_probability.shape[1]
    least = [
        probability[label == one, one].mean() if (label == one).any() else 2
        for one in range(classes)
    ]
    probability[probability < least] = -1
    found = probability.argmax(axis=1)
    confident = (probability.max(axis=1) >= 0) & (found != label)
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (label[confident], found[confident]), 1)
    return counts


def _log_odds(
    log_probability: np.ndarray, label: np.ndarray, wrong: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log odds of the most probable other class, float64 (n,), and that class."""
    rows, classes = np.arange(len(label)), len(wrong)
    images = np.bincount(label, minlength=classes)[:, np.newaxis]
    even = max(wrong.sum(), 1) / len(label) / (classes - 1)
    weight = JOINT * images / (images + IMAGES)
    rate = weight * wrong / np.maximum(images, 1) + (1 - weight) * even
    given = log_probability[rows, label]
    other = log_probability.copy()
    other[rows, label] = -np.inf
    suggested = other.argmax(axis=1)
    return other[rows, suggested] - given + np.log(rate[label, suggested]), suggested
