"""Training images whose label is probably wrong, by out-of-fold probabilities of all variants.

An image x with the label g is scored by the most plausible other class j. By Bayes' rule, the odds
that j and not g is its true class are

    p(j | x) / p(g | x) * P(label g | class j) / P(label g | class g).

p is the variants' geometric mean. The rates of wrong labels come from the confident joint
(Northcutt, Jiang and Chuang 2021, Confident Learning, section 3.1), which counts images by label
and confidently predicted class; few labels are wrong, so the last rate is taken as 1.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_softmax

SHARE = 0.05  # of the training images: at most so many are listed
MOST = 200  # listed images
LEAST = 1e-7  # probability; float32 cannot tell 1 minus a smaller one from 1
JOINT = 1 / 3  # weight of observed wrong labels; docs/experiments.md, 2026-11-29
COLUMNS = ("row", "file", "given", "suggested", "score", "variants")


class Issue(NamedTuple):
    """A training image that should be looked at; classes are numbers from 0."""

    row: int  # of the training images, from 0
    given: int
    suggested: int
    score: float  # probability of the suggested class if it is that or the given one, 0 to 1
    variants: int  # that predict the suggested class


def combined(probabilities: Iterable[np.ndarray]) -> np.ndarray:
    """Return the logarithm of the variants' normalised geometric mean: float64 (n, classes).

    Each of `probabilities` is of one variant, (n, classes), out of sample.
    """
    total, count = np.zeros(1), 0
    for probability in probabilities:
        total, count = total + np.log(np.clip(probability, LEAST, 1, dtype=np.float64)), count + 1
    return log_softmax(total / count, axis=1)


def order(log_probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return all images by how likely their label is wrong, worst first: int64 (n,).

    `log_probability` is float (n, classes), from `combined`; `label` is int (n,).
    """
    joint = _confident_joint(log_probability, label)
    return np.argsort(-_log_odds(log_probability, label, joint)[0], kind="stable")


def find(log_probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> list[Issue]:
    """Return the images to look at, worst first; arguments as for `order`.

    `predicted` is int (variants, n), the class that each variant predicts.

    Their number is the sum of the confident joint's off-diagonal, but at most SHARE of all images
    and MOST. Images whose label is their most probable class are not listed.
    """
    joint = _confident_joint(log_probability, label)
    odds, suggested = _log_odds(log_probability, label, joint)
    count = min(int(joint.sum() - joint.trace()), MOST, int(SHARE * len(label)))
    rows = np.argsort(-odds, kind="stable")[:count]
    contradicted = log_probability.max(axis=1) > log_probability[np.arange(len(label)), label]
    votes = (predicted == suggested).sum(axis=0)
    return [
        Issue(row, int(label[row]), int(suggested[row]), float(expit(odds[row])), int(votes[row]))
        for row in rows.tolist()
        if contradicted[row]
    ]


def _confident_joint(log_probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Count images by label and confidently predicted class: int64 (classes, classes).

    That is the most probable of the classes whose probability reaches its mean over the images
    with that label. Images without such a class are not counted.
    """
    probability, classes = np.exp(log_probability), log_probability.shape[1]
    least = [
        probability[label == one, one].mean() if (label == one).any() else 2
        for one in range(classes)
    ]
    reached = np.where(probability >= least, probability, -1)
    confident = reached.max(axis=1) >= 0
    joint = np.zeros((classes, classes), np.int64)
    np.add.at(joint, (label[confident], reached.argmax(axis=1)[confident]), 1)
    return joint


def _log_odds(
    log_probability: np.ndarray, label: np.ndarray, joint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log odds of the most plausible other class, float64 (n,), and that class.

    The wrong labels of a pair of classes are those of the confident joint, with the weight JOINT,
    and an even share of all. The confident joint is an estimate that also counts the models'
    mistakes, and a pair without wrong labels in it may still have some.
    """
    rows, classes = np.arange(len(label)), len(joint)
    wrong = joint - np.diag(joint.diagonal())
    even = max(wrong.sum(), 1) / (classes * (classes - 1))
    wrong = JOINT * wrong + (1 - JOINT) * even
    rate = wrong / np.maximum(np.bincount(label, minlength=classes), 1)
    odds = log_probability - log_probability[rows, label, np.newaxis] + np.log(rate)[label]
    odds[rows, label] = -np.inf
    suggested = odds.argmax(axis=1)
    return odds[rows, suggested], suggested
