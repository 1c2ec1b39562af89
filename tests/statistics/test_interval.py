"""Intervals: by hand, and by their coverage."""

import numpy as np
import pytest
from scipy.stats import multinomial

from stages.statistics.interval import discordant, wilson


def test_wilson_by_hand():
    # 8 of 10: (0.8 + 0.192073) / 1.384146 -+ 1.959964 * sqrt(0.016 + 0.0096036) / 1.384146
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)


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
