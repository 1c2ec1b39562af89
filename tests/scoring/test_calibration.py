"""Reliability bins and the expected calibration error, by hand."""

import numpy as np
import pytest

from stages.scoring import calibration


def two_classes(confidence, right):
    """Return probabilities with these confidences for class 0, and labels that make them right."""
    confidence = np.asarray(confidence)
    return np.column_stack([confidence, 1 - confidence]), 1 - np.asarray(right, int)


def test_bins_by_hand():
    probability, label = two_classes([0.55, 0.6, 0.7, 0.95, 0.97, 1.0], [1, 0, 1, 1, 1, 0])
    found = calibration.reliability_bins(probability, label, bins=5)
    assert found["count"].tolist() == [0, 0, 2, 1, 3]  # 0.6 is the closed end of the third bin
    assert found["confidence"] == pytest.approx([0, 0, 0.575, 0.7, 2.92 / 3])
    assert found["accuracy"] == pytest.approx([0, 0, 0.5, 1, 2 / 3])


def test_error_is_the_gap_weighted_by_images():
    probability, label = two_classes([0.55, 0.6, 0.7, 0.95, 0.97, 1.0], [1, 0, 1, 1, 1, 0])
    by_hand = (2 * 0.075 + 1 * 0.3 + 3 * (2.92 / 3 - 2 / 3)) / 6
    found = calibration.expected_calibration_error(probability, label, bins=5)
    assert found == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        ([1.0] * 4, [1] * 4, 0.0),
        ([1.0] * 4, [0] * 4, 1.0),
        ([0.75] * 4, [1, 1, 1, 0], 0.0),
        ([0.75] * 4, [0, 0, 0, 1], 0.5),
    ],
)
def test_extremes(confidence, right, error):
    found = calibration.expected_calibration_error(*two_classes(confidence, right))
    assert found == pytest.approx(error)


def test_rounding_above_one_stays_in_the_last_bin():
    probability = np.array([[1.0000001, 0.0]], np.float32)
    assert probability[0, 0] > 1
    found = calibration.reliability_bins(probability, np.array([0]))
    assert found["count"].tolist() == [0] * 14 + [1]
