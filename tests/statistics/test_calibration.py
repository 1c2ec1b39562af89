"""Reliability bins and the expected calibration error, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.statistics.calibration import expected_calibration_error, reliability_bins
from tests.statistics.classifiers import CLASSIFIERS


def two_classes(confidence, right):
    """Return probabilities with these confidences for class 0, and labels that make them right."""
    confidence = np.asarray(confidence)
    return np.column_stack([confidence, 1 - confidence]), 1 - np.asarray(right, int)


def test_by_hand():
    classifier = two_classes([0.55, 0.6, 0.7, 0.95, 0.97, 1.0], [1, 0, 1, 1, 1, 0])
    found = reliability_bins(*classifier, bins=5)
    assert found["count"].tolist() == [0, 0, 2, 1, 3]  # 0.6 is the closed end of the third bin
    assert found["confidence"] == pytest.approx([0, 0, 0.575, 0.7, 2.92 / 3])
    assert found["accuracy"] == pytest.approx([0, 0, 0.5, 1, 2 / 3])
    by_hand = (2 * 0.075 + 1 * 0.3 + 3 * (2.92 / 3 - 2 / 3)) / 6
    assert expected_calibration_error(*classifier, bins=5) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        (1.0, [1, 1, 1, 1], 0.0),
        (1.0, [0, 0, 0, 0], 1.0),
        (0.75, [1, 1, 1, 0], 0.0),
        (0.75, [0, 0, 0, 1], 0.5),
    ],
)
def test_extremes(confidence, right, error):
    found = expected_calibration_error(*two_classes([confidence] * 4, right))
    assert found == pytest.approx(error)


def test_rounding_above_one_stays_in_the_last_bin():
    probability = np.array([[1.0000001, 0.0]], np.float32)
    assert probability[0, 0] > 1
    assert reliability_bins(probability, np.array([0]))["count"].tolist() == [0] * 14 + [1]


@given(CLASSIFIERS, st.integers(1, 20))
def test_every_image_is_in_one_bin_and_the_error_is_a_fraction(classifier, bins):
    probability, label = classifier
    found = reliability_bins(probability, label, bins)
    assert found["count"].sum() == len(label)
    assert ((found["accuracy"] >= 0) & (found["accuracy"] <= 1)).all()
    there = np.flatnonzero(found["count"])
    assert (np.abs(found["confidence"][there] * bins - there - 0.5) <= 0.5 + 1e-5).all()
    error = expected_calibration_error(probability, label, bins)
    assert 0 <= error <= 1 + 1e-6
    turned = expected_calibration_error(probability[::-1], label[::-1], bins)
    assert turned == pytest.approx(error, abs=1e-9)
    right = probability.argmax(axis=1) == label
    gap = abs(probability.max(axis=1).mean(dtype=np.float64) - right.mean())
    assert error >= gap - 1e-6  # bins can only keep apart what would cancel out
