"""Intervals: by hand, against scipy's bootstrap, and against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, multinomial

from stages.statistics.interval import bootstrap_mean, discordant, wilson

CHANGE = np.random.default_rng(0).choice([-1, 0, 1], 400, p=[0.02, 0.9, 0.08])


def test_wilson_by_hand():
    # 8 of 10: (0.8 + 0.192073) / 1.384146 -+ 1.959964 * sqrt(0.016 + 0.0096036) / 1.384146
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)


@pytest.mark.parametrize(
    "values",
    [CHANGE, *(np.arange(n) < correct for correct, n in ((90, 100), (969, 1000), (3, 50)))],
)
def test_of_an_accuracy_or_a_paired_difference_it_is_scipys_bca_and_near_wilson(values):
    low, high = bootstrap_mean(values)
    found = bootstrap((values.astype(float),), np.mean, n_resamples=9_999, method="BCa", rng=1)
    expected = found.confidence_interval
    n = len(values)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1.04 / n)
    if values.dtype == bool:
        assert (low, high) == pytest.approx(wilson(values.sum(), n), abs=2.5 / n + 0.001)


def test_coverage_is_near_what_is_claimed():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        low, high = bootstrap_mean(generator.random(500) < 0.95, resamples=999)
        covered += low <= 0.95 <= high
    assert 0.92 <= covered / 400 <= 0.98  # one standard error is .011


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_is_the_same_twice_in_any_order_and_holds_the_mean(values):
    low, high = bootstrap_mean(values, resamples=199)
    assert (low, high) == bootstrap_mean(sorted(values), resamples=199)
    assert 0 <= low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high <= 1


@pytest.mark.parametrize("value", [0, 1])
def test_equal_values_are_certain(value, recwarn):
    assert bootstrap_mean(np.full(7, value)) == (value, value)
    assert not recwarn.list


def test_of_discordant_predictions_by_hand():
    # 12 and 3 of 100: 13/102 - 4/102 = 0.088235; 0.166667 - 0.007785 = 0.158881 over 102
    assert discordant(12, 3, 100) == pytest.approx((0.010881, 0.165590), abs=1e-6)
    low, high = discordant(0, 0, 1000)
    assert low == -high
    assert 0.0027 < high < 0.0028
    assert discordant(0, 5, 5)[0] == -1


@pytest.mark.parametrize(("up", "down"), [(0.01, 0.01), (0.02, 0.06), (0.1, 0.15)])
def test_the_interval_of_discordant_predictions_covers_as_claimed(up, down):
    """The exact coverage, summed over all likely outcomes of 100 images."""
    n, most = 100, 40
    gained, lost = np.indices((most, most)).reshape(2, -1)
    ends = np.array([discordant(int(a), int(b), n) for a, b in zip(gained, lost, strict=True)])
    covered = (ends[:, 0] <= up - down) & (up - down <= ends[:, 1])
    same = n - gained - lost
    probability = multinomial.pmf(np.stack([gained, lost, same], 1), n, [up, down, 1 - up - down])
    assert probability.sum() == pytest.approx(1, abs=1e-6)
    assert probability[covered].sum() >= 0.94  # it is wider than needed where both are rare
