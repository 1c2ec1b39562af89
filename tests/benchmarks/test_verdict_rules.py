"""The rules that verdicts could follow: by hand, against scipy, and by simulation."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import digamma, polygamma

from benchmarks import inputs, rules, verdict_battery, verdict_rules
from stages.files import read_json
from stages.statistics import paired
from tests.compared import GAIN

MANY = np.random.default_rng(0).normal(0.01, 0.02, (50, 20))


def test_the_corrected_rule_is_that_of_the_pipeline():
    for folds, given in ((5, MANY[:, :5]), (5, MANY), (10, MANY[:, :10])):
        expected = [paired.corrected_resampled_t(one, folds)["p"] for one in given]
        assert rules.corrected(given, folds) == pytest.approx(np.array(expected))


def test_the_pooled_rule_is_that_of_the_pipeline():
    given = MANY[:6, :5]
    variances = paired.variances(given)
    tested = [
        paired.corrected_resampled_t(one, 5, variance)["p"]
        for one, variance in zip(given, variances, strict=True)
    ]
    assert rules.corrected_pooled(given, 5) == pytest.approx(np.array(tested))
    assert rules.corrected_pooled(given[:1], 5) == pytest.approx(rules.corrected(given[:1], 5))


def test_the_plain_test_is_scipy_s():
    assert rules.plain(MANY) == pytest.approx(stats.ttest_1samp(MANY, 0, axis=1).pvalue)


@pytest.mark.parametrize(("constant", "p"), [(0.0, 1.0), (0.01, 0.0)])
def test_a_constant_difference_is_certain(constant, p):
    given = np.full((1, 20), constant)
    assert rules.plain(given) == rules.corrected(given, 5) == rules.estimated(given, 5) == p
    assert rules.images(given) == rules.five_by_two(given[:, :10]) == p


def test_bayle_s_interval_by_hand():
    difference = np.array([1, 1, 1, -1] + [0] * 12)  # mean 1/8, sum of squares 4
    z = (1 / 8) / np.sqrt((4 - 16 / 64) / 15 / 16)
    assert rules.images(difference) == pytest.approx(2 * stats.norm.sf(z))
    assert rules.images(difference, 2.25) == pytest.approx(2 * stats.norm.sf(z / 1.5))


def test_five_by_two_by_hand():
    pairs = np.array([[0.02, 0.04], [0.01, 0.05], [0.03, 0.03], [0.00, 0.02], [0.06, 0.02]])
    spread = sum((a - b) ** 2 / 2 for a, b in pairs)  # of two values: half the squared distance
    expected = stats.f.sf((pairs**2).sum() / (2 * spread), 10, 5)
    assert rules.five_by_two(pairs.ravel()) == pytest.approx(expected)


def test_repeats_that_agree_are_one_cross_validation_with_more_degrees_of_freedom():
    repeated = np.concatenate([np.roll(GAIN, shift) for shift in range(4)])  # B = 0
    t = 0.078 / np.sqrt((1 / 5 + 1 / 4) * 0.00122)
    assert rules.estimated(repeated, 5) == pytest.approx(2 * stats.t.sf(t, 16))


def test_where_repeats_differ_by_chance_alone_it_is_the_variance_of_their_means():
    means = np.array([0.00, 0.04, 0.08, 0.12])
    given = (means[:, None] + 1e-3 * (GAIN - GAIN.mean())).ravel()
    t = 0.06 / np.sqrt(means.var(ddof=1) / 4)
    assert rules.estimated(given, 5) == pytest.approx(2 * stats.t.sf(t, 16))


def test_unlike_variances_are_pooled_as_their_spread_allows():
    given = MANY[:6, :5] * np.logspace(-1, 0, 6)[:, None]
    own = given.var(axis=1, ddof=1)
    log = np.log(own) - digamma(2) + np.log(2)
    excess = log.var(ddof=1) - polygamma(1, 2)
    prior = 2 * optimize.brentq(lambda x: polygamma(1, x) - excess, 1e-3, 1e3)
    centre = np.exp(log.mean() + digamma(prior / 2) - np.log(prior / 2))
    variance = (prior * centre + 4 * own) / (prior + 4)
    t = np.abs(given.mean(axis=1)) / np.sqrt((1 / 5 + 1 / 4) * variance)
    assert rules.corrected_pooled(given, 5) == pytest.approx(2 * stats.t.sf(t, min(prior + 4, 24)))


def test_both_tests_must_reject():
    image = np.repeat([[1.0, 0.0]], 50, axis=0).ravel()
    folds = np.array([0.9, 0.1, 0.9, 0.1, 0.5])
    found = rules.images_and_folds(image, folds, 2.25)
    assert found == rules.plain(folds) > rules.images(image, 2.25)


def test_variances_of_images_and_of_folds_add_up():
    image = np.array([1, 1, 1, -1] + [0] * 12)
    of_images = (4 - 16 / 64) / 15 / 16
    still = np.full(5, 0.125)  # folds vary less than images: these alone count
    assert rules.summed(image, still, 5) == pytest.approx(rules.images(image, 2.25))
    moved = 0.125 + np.array([0.9, -0.9, 0.6, -0.6, 0])
    of_folds = moved.var(ddof=1) / 5
    variance = 2.25 * of_images + of_folds - of_images
    freedom = 4 * (variance / of_folds) ** 2
    expected = 2 * stats.t.sf(0.125 / np.sqrt(variance), freedom)
    assert rules.summed(image, moved, 5) == pytest.approx(expected)
    variance = 2.25 * of_images + (of_folds - of_images) / 4
    freedom = 16 * (variance / (of_folds / 4)) ** 2
    expected = 2 * stats.t.sf(0.125 / np.sqrt(variance), freedom)
    assert rules.summed(image, np.tile(moved, 4), 5) == pytest.approx(expected)


@pytest.mark.parametrize("design", verdict_battery.DESIGNS)
def test_every_variant_is_scored_once_on_every_image_of_a_repeat(design):
    folds, _, repeats = verdict_battery.DESIGNS[design]
    labels = np.arange(40) % 2

    def fit(variant, fold_of, fold, number):
        assert number % folds == fold
        assert np.bincount(labels[fold_of == fold]).tolist() == [20 // folds] * 2
        return np.flatnonzero(fold_of == fold) < 20 * variant

    scores, correct = verdict_battery.cross_validated(
        fit, 2, labels, verdict_battery.DESIGNS[design], (1,)
    )
    assert (scores.shape, correct.shape) == ((2, folds * repeats), (2, repeats, 40))
    assert (correct == (np.arange(40) < [[[0]], [[20]]])).all()
    assert scores.mean(axis=1) == pytest.approx([0, 0.5])


def test_what_is_kept_is_read_back_and_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(verdict_battery, "CHUNK", 2)
    designs = [*verdict_battery.DESIGNS]
    verdict_battery.add("nearest_mean_weak", 2, designs, tmp_path)
    before = verdict_battery.read("nearest_mean_weak", tmp_path)
    monkeypatch.setattr(verdict_battery, "simulated", None)
    verdict_battery.add("nearest_mean_weak", 2, designs, tmp_path)
    assert before["k5"]["scores"].shape == (2, 7, 5)
    for design, (folds, _, repeats) in verdict_battery.DESIGNS.items():
        arrays = before[design]
        by_image = arrays["correct"].mean(axis=3)
        by_fold = arrays["scores"].reshape(*by_image.shape, folds).mean(axis=3)
        assert by_image == pytest.approx(by_fold)
        assert by_image.shape[2] == repeats
    found = verdict_rules.differences(before, centred=False)
    assert found["r4"][0].shape == (2, 1, 20)
    assert found["r4"][1].mean(axis=2) == pytest.approx(found["r4"][0].mean(axis=2), abs=1e-6)


def test_a_rule_holds_without_an_excess_that_is_clear_or_of_many_replicates():
    def member(count, n):
        cell = verdict_rules.rates(np.arange(n) < count) | {"power": {"2": 0.2, "3": count / n}}
        return {"pair": dict.fromkeys(rules.RULES, cell)}

    for count, n, holds in ((25, 500, True), (26, 500, False), (8, 100, True), (12, 100, False)):
        found, winners = verdict_rules.judged({"some": member(count, n)})
        assert found["corrected"]["above"] == ([] if holds else [("some", "pair")])
        assert winners["5"] == ("corrected" if holds else None)


def test_draws_are_disjoint_until_all_images_are_used():
    images, labels = np.zeros((2500, 28, 28, 1), np.uint8), np.arange(2500)
    drawn = [
        verdict_battery.trained(verdict_battery.MEMBERS["batch_1000"], n, images, labels)[1]
        for n in range(4)
    ]
    assert not set(drawn[0]) & set(drawn[1])
    assert not set(drawn[2]) & set(drawn[3])
    assert set(drawn[0]) & set(drawn[2])


@pytest.mark.slow
def test_the_quick_form_applies_every_rule(tmp_path):
    command = [sys.executable, "-m", "benchmarks.verdict_rules", "--quick", "--folder"]
    done = subprocess.run([*command, tmp_path], cwd=inputs.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = read_json(tmp_path / "verdict_rules.json")
    assert set(found["members"]) == {"nearest_mean_weak", "mixed"}
    for member in found["members"].values():
        assert set(member["pair"]) == set(rules.RULES)
        assert set(member["family_6"]) == {
            name for name, rule in rules.RULES.items() if rule.design == "k5"
        }


@pytest.mark.slow
def test_trained_members_differ_by_their_seeds():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 10
    images = random.integers(0, 200, (60, 28, 28, 1)).astype("uint8")
    member = verdict_battery.Member("", 60, recipes=(verdict_battery.BASIC,) * 2)
    fit, drawn = verdict_battery.trained(member, 0, images, labels)
    folds = verdict_battery.assigned(drawn, 2, np.random.default_rng(0))
    one, other = (fit(variant, folds, 0, 0) for variant in (0, 1))
    assert one.shape == other.shape == (30,)
    assert (one == fit(0, folds, 0, 0)).all()
