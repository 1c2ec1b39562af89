"""Prediction sets: the classes that an image may have, chosen to include the true one often enough.

A set holds each class whose probability is at least a threshold, which is chosen on out-of-fold
predictions. Source: Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with
bounded error levels", Journal of the American Statistical Association 114 (2019). Their guarantee
is for one model; the shipped model averages the fold models, so its coverage is checked on the test
set. Arrays are as in `stages.statistics.classification`.
"""

from math import ceil
from typing import NamedTuple

import numpy as np


class Coverage(NamedTuple):
    """Prediction sets of the test images. The model is sure where a set has exactly one class."""

    wanted: float  # share of images whose set should contain their class
    covered: int  # images whose set contains their class
    sure: int
    sure_and_correct: int
    images: int


def threshold(probability: np.ndarray, label: np.ndarray, coverage: float) -> float:
    """Return the lowest probability at which a class belongs to a set.

    Args:
        probability: (n, classes), out-of-fold.
        label: (n,).
        coverage: between 0 and 1; if images are too few for it, each set has every class.
    """
    of_label = np.sort(probability[np.arange(len(label)), label])
    left_out = len(label) - ceil((len(label) + 1) * coverage)  # images below the threshold
    return float(of_label[left_out]) if left_out >= 0 else 0.0


def sets(probability: np.ndarray, lowest: float) -> np.ndarray:
    """Return which classes belong to each image's set: bool (n, classes); a set may be empty."""
    return probability >= lowest


def coverage(
    oof_probability: np.ndarray,
    oof_label: np.ndarray,
    test_probability: np.ndarray,
    test_label: np.ndarray,
    wanted: float,
) -> Coverage:
    """Choose the threshold on out-of-fold predictions, and count on the test images."""
    lowest = threshold(oof_probability, oof_label, wanted)
    members = sets(test_probability, lowest)
    holds = members[np.arange(len(test_label)), test_label]
    sure = members.sum(axis=1) == 1
    return Coverage(
        wanted=wanted,
        covered=int(holds.sum()),
        sure=int(sure.sum()),
        sure_and_correct=int((sure & holds).sum()),
        images=len(test_label),
    )
