import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma, polygamma

from stages.statistics.pooled import _trigamma_inverse, pooled

RANDOM = np.random.default_rng(0)


def test_equal_variances_give_one_variance_with_all_their_degrees_of_freedom():
    variance, freedom = pooled(np.full(6, 0.3), 4)
    one = 0.3 * np.exp(np.log(2) - digamma(2))  # the mean of the logarithm is too low by this
    assert variance == pytest.approx(np.full(6, one), rel=1e-4)
    assert freedom == 24


def test_variances_that_differ_by_chance_alone_are_drawn_to_one():
    """Of normal samples with one variance, the posterior variances vary less than their own."""
    own = RANDOM.chisquare(4, (2000, 6)) / 4
    variance, _ = pooled(own, 4)
    assert variance.mean() == pytest.approx(1, abs=0.1)
    assert variance.std() < 0.6 * own.std()


def test_variances_of_different_size_stay_different():
    own = 10.0 ** np.arange(-2, 3)
    variance, freedom = pooled(own, 4)
    np.testing.assert_allclose(np.log10(variance), np.log10(own), atol=0.5)
    assert freedom < 5


def test_the_prior_is_found_in_many_samples_from_it():
    """Variances from a scaled inverse chi-squared prior with 10 degrees of freedom and scale 2."""
    true = 2 * 10 / RANDOM.chisquare(10, 100_000)
    own = true * RANDOM.chisquare(4, 100_000) / 4
    variance, freedom = pooled(own, 4)
    assert freedom == pytest.approx(14, rel=0.05)
    np.testing.assert_allclose(variance, (10 * 2 + 4 * own) / 14, rtol=0.05)


@given(st.lists(st.floats(0, 1e3), min_size=2, max_size=9), st.floats(1e-6, 1e6))
def test_it_follows_the_unit_and_is_finite(own, factor):
    variance, freedom = pooled(np.array(own), 4)
    assert np.isfinite(variance).all()
    assert (variance >= 0).all()
    assert 4 < freedom <= 4 * len(own)
    if min(own) > 1e-100:
        scaled, again = pooled(np.array(own) * factor, 4)
        np.testing.assert_allclose(scaled, variance * factor, rtol=1e-6)
        assert again == pytest.approx(freedom)


def test_the_inverse_is_that_of_trigamma():
    value = np.logspace(-4, 4, 50)
    np.testing.assert_allclose(polygamma(1, _trigamma_inverse(value)), value, rtol=1e-9)
