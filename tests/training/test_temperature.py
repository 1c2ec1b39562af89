"""Temperature scaling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.training import temperature

RANDOM = np.random.default_rng(0)


def calibrated(n, classes=4):
    """Return probabilities, and labels drawn with these."""
    logits = 2 * RANDOM.standard_normal((n, classes))
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (probability.cumsum(axis=1) < RANDOM.random((n, 1))).sum(axis=1).clip(0, classes - 1)
    return probability, label


@pytest.mark.parametrize("true", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_of_a_calibrated_model_is_found(true):
    probability, label = calibrated(40_000)
    given = temperature.scaled(probability, 1 / true)
    found = temperature.fit(given, label)
    assert found == pytest.approx(true, rel=0.03)
    exact = given.min(axis=1) > temperature.TINY
    np.testing.assert_allclose(
        temperature.scaled(given[exact], true), probability[exact], atol=1e-4
    )


@given(st.floats(0.2, 5), st.integers(2, 12))
def test_scaling_keeps_the_order_of_classes_and_sums_of_one(value, classes):
    probability, _ = calibrated(20, classes)
    found = temperature.scaled(probability, value)
    np.testing.assert_array_equal(found.argmax(axis=1), probability.argmax(axis=1))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    change = (found.max(axis=1) - probability.max(axis=1)) * np.sign(value - 1)
    assert change.max() <= 1e-6


def test_few_images_that_are_all_correct_do_not_make_the_model_certain():
    probability = np.tile(np.array([0.8, 0.2], np.float32), (160, 1))
    value = temperature.fit(probability, np.zeros(160, int))
    assert value == pytest.approx(temperature.LOWEST, abs=0.01)
    assert temperature.scaled(probability, value).max() < 0.95


def test_certain_probabilities_stay_finite():
    certain = np.eye(3, dtype=np.float32)
    found = temperature.scaled(certain, 2.0)
    assert np.isfinite(found).all()
    wrong = temperature.fit(np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, 1]))
    assert 1 < wrong <= temperature.HIGHEST + 1e-3


def test_labels_of_a_fold_do_not_change_its_own_scaling():
    probability, label = calibrated(300)
    probability = temperature.scaled(probability, 0.5)[None]
    folds = (np.arange(300) % 3).astype(np.int16)[None]
    found = temperature.cross_fitted(probability, folds, label)
    own = folds[0] == 1
    other = label.copy()
    other[own] = (label[own] + 1) % 4
    again = temperature.cross_fitted(probability, folds, other)
    np.testing.assert_array_equal(again[0, own], found[0, own])
    assert (again[0, ~own] != found[0, ~own]).any()
    assert found.dtype == np.float32
