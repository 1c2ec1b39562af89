import numpy as np
import pytest

from benchmarks.learning_curve import CURVES, IMAGES, simulated
from stages.statistics.learning_curve import fit, verdict
from stages.statistics.metrics import METRICS

ACCURACY, LOG_LOSS = METRICS["accuracy"], METRICS["log_loss"]


def errors(floor=0.0, drop=0.03, exponent=0.5, noise=1e-4, folds=5, seed=0):
    """Return the errors of folds around a power law, float (4, folds)."""
    random = np.random.default_rng(seed)
    law = floor + drop * (IMAGES / IMAGES[-1]) ** -exponent
    return law[:, np.newaxis] + noise * random.standard_normal((len(IMAGES), folds))


@pytest.mark.parametrize("curve", CURVES)
def test_the_interval_contains_the_true_gain_of_known_laws(curve):
    """In 95 % of all draws, so in at least 88 % of 200, allowing for chance."""
    found = simulated(CURVES[curve], 200)
    assert found["covered"] >= 0.88
    assert found["no_power_law"] <= 0.1


def test_without_noise_the_law_is_recovered():
    law = fit(IMAGES, errors(floor=0.01, drop=0.02, noise=1e-6), folds=5)
    gain = 0.02 * (1 - 2**-0.5)
    assert law.gain == pytest.approx(gain, rel=0.02)
    assert law.at(2 * IMAGES[-1:]) == pytest.approx(0.03 - gain, rel=0.02)
    np.testing.assert_allclose(law.at(IMAGES), errors(0.01, 0.02, noise=0)[:, 0], rtol=0.02)


def test_more_noise_widens_the_interval_until_it_includes_no_gain():
    laws = [fit(IMAGES, errors(noise=noise), folds=5) for noise in (1e-4, 1e-3, 1e-2, 5e-2)]
    widths = [law.high - law.low for law in laws]
    assert widths == sorted(widths)
    assert [law.low > 0 for law in laws] == [True, True, True, False]
    assert "cannot tell" in verdict(laws[-1], ACCURACY)
    assert "twice the images: about +0.8" in verdict(laws[0], ACCURACY)


def test_an_effect_of_the_fold_that_all_sizes_share_hardly_matters():
    noisy = errors(noise=1e-3)
    effect = 0.005 * np.random.default_rng(1).standard_normal(5)
    alone, shared = (fit(IMAGES, given, 5) for given in (noisy, noisy + effect - effect.mean()))
    assert shared.gain == pytest.approx(alone.gain, rel=0.15)
    assert shared.high - shared.low < 0.005  # a third of the effect's range


def test_repeats_narrow_the_interval_less_than_independent_folds_would():
    few, many = (fit(IMAGES, errors(noise=2e-3, folds=n), 5) for n in (5, 20))
    width, narrower = (law.high - law.low for law in (few, many))
    assert 0.5 * width < narrower < width


def test_a_score_that_ignores_the_images_gains_nothing():
    law = fit(IMAGES, np.tile([0.7, 0.7, 0.71], (4, 1)), folds=3)
    assert (law.gain, law.low, law.high) == (0, 0, 0)
    assert "does not depend" in verdict(law, ACCURACY)


def test_without_errors_there_is_nothing_to_gain():
    law = fit(IMAGES, errors() * np.array([[1], [0], [0], [0]]), folds=5)
    assert abs(law.gain) < 1e-3


def test_scores_that_rise_and_fall_are_no_power_law():
    law = fit(IMAGES, np.array([[0.05], [0.02], [0.06], [0.02]]) + errors(drop=0), folds=5)
    assert not law.fits
    assert "power law" in verdict(law, ACCURACY)


def test_scores_that_get_worse_are_a_loss():
    worse = fit(IMAGES, errors(floor=0.05, drop=-0.02, exponent=0.5), folds=5)
    assert worse.low < worse.gain < worse.high < 0
    assert "about -0.59" in verdict(worse, ACCURACY)


def test_a_loss_is_measured_in_nats_from_zero():
    law = fit(IMAGES, errors(drop=0.3, noise=1e-3), folds=5)
    assert "about +0.08" in verdict(law, LOG_LOSS)
    assert "nats" in verdict(law, LOG_LOSS)
    assert (ACCURACY.best, LOG_LOSS.best) == (1, 0)
