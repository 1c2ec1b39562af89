"""Training images whose label is probably wrong, by out-of-fold probabilities of all variants."""

from typing import NamedTuple

import numpy as np

SHARE = 0.05  # of the training images, at most, are listed
MOST = 200  # listed images
COLUMNS = ("row", "file", "given", "suggested", "score", "variants")


class Issue(NamedTuple):
    """A training image that should be looked at; classes are numbers from 0."""

    row: int  # of the training images, from 0
    given: int
    suggested: int
    score: float  # mean of p(suggested) - p(given) over the variants, -1 to 1
    variants: int  # that predict the suggested class


def order(mean: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return all images by how likely their label is wrong, worst first: int64 (n,).

    `mean` is the variants' mean probability, float (n, classes), out of sample; `label` is int
    (n,). The score is the margin: best other class minus the given one.
    """
    return np.argsort(-_margin(mean, label)[0], kind="stable")


def find(mean: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> list[Issue]:
    """Return the images to look at, worst first; arguments as for `order`.

    `predicted` is int (variants, n), the class that each variant predicts.

    Their number is the sum of the off-diagonal of the confident joint (Northcutt, Jiang and Chuang
    2021, Confident Learning, section 3.1), but at most SHARE of all images and MOST. An image is
    assigned to its most probable class among those whose probability reaches the mean over images
    with that label. Images whose label is their most probable class are not listed.
    """
    margin, suggested = _margin(mean, label)
    classes = mean.shape[1]
    least = np.array(
        [mean[label == one, one].mean() if (label == one).any() else 2 for one in range(classes)]
    )
    reached = np.where(mean >= least, mean, -1)
    confident = (reached.max(axis=1) >= 0) & (reached.argmax(axis=1) != label)
    count = min(int(confident.sum()), MOST, int(SHARE * len(label)))
    rows = np.argsort(-margin, kind="stable")[:count]
    votes = (predicted == suggested).sum(axis=0)
    return [
        Issue(row, int(label[row]), int(suggested[row]), float(margin[row]), int(votes[row]))
        for row in rows.tolist()
        if margin[row] > 0
    ]


def _margin(mean: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return p(best other class) - p(given), and that other class."""
    other = mean.astype(np.float64)
    rows = np.arange(len(label))
    given = other[rows, label]
    other[rows, label] = -1
    suggested = other.argmax(axis=1)
    return other[rows, suggested] - given, suggested
