"""Power of the corrected t test: by hand and by simulation."""

import numpy as np
import pytest

from stages.statistics.paired import Variance, corrected_resampled_t
from stages.statistics.power import minimum_detectable, power

OWN = Variance(0.00122, 4)
DEVIATION = np.sqrt(0.00122)


def test_power_of_no_difference_is_the_error_and_of_a_huge_one_certain():
    assert power(0.0, 5, 5) == pytest.approx(0.05)
    assert power(1e3, 5, 5) == power(60.0, 5, 5) == power(1e9, 2, 2) == 1


def test_power_is_the_share_of_experiments_that_find_the_difference():
    """Differences correlate as the correction assumes: a shared part of variance 1 / (k - 1)."""
    generator, k, effect = np.random.default_rng(0), 5, 2.0
    own, shared = generator.normal(size=(200, k)), generator.normal(size=(200, 1))
    found = effect + own + np.sqrt(1 / (k - 1)) * shared
    detected = np.mean([corrected_resampled_t(one, k)["p"] < 0.05 for one in found])
    assert detected == pytest.approx(power(effect, k, k), abs=0.09)  # one standard error is .03


def test_by_hand():
    found = minimum_detectable(OWN, 5, 5, 0.07)
    limit = (1.959964 + 0.841621) * DEVIATION * np.sqrt(1 / 4)
    assert found.limit == pytest.approx(limit, rel=1e-6)
    assert power(found.effect / DEVIATION, 5, 5) == pytest.approx(0.8)
    assert found.repeats == 2  # 1 detects .0881, 2 a little less than .07
    assert power(0.07 / DEVIATION, 10, 5) >= 0.8 > power(0.07 / DEVIATION, 5, 5)


def test_below_the_limit_no_number_of_repeats_suffices():
    found = minimum_detectable(OWN, 5, 5, 0.048)
    assert found.limit > 0.048
    assert found.repeats is None
    assert power(0.048 / DEVIATION, 5 * 10_000, 5) < 0.8
    assert minimum_detectable(OWN, 5, 5, 0.05).repeats == 28
    assert power(0.05 / DEVIATION, 5 * 28, 5) >= 0.8 > power(0.05 / DEVIATION, 5 * 27, 5)
    assert minimum_detectable(OWN, 5, 5, 0.0).repeats is None


def test_a_pooled_variance_detects_smaller_effects():
    """With infinitely many degrees of freedom, power is that of a normal test."""
    pooled = minimum_detectable(Variance(OWN.value, 1e9), 5, 5, 0.06)
    normal = (1.959964 + 0.841621) * DEVIATION * np.sqrt(1 / 5 + 1 / 4)
    assert pooled.effect == pytest.approx(normal, rel=1e-4)
    own = minimum_detectable(OWN, 5, 5, 0.06)
    assert own.effect > pooled.effect
    assert own.limit == pooled.limit
    assert own.repeats >= pooled.repeats
