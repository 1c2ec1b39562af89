"""Statistics between variants: by hand, against scipy, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.statistics import paired

CHECK = np.array([0.08, 0.12, 0.03, 0.10, 0.06])
UNCORRECTED = 10**18  # so many folds make the correction, 1 / (folds - 1), vanish
differences = st.lists(st.floats(-1, 1), min_size=2, max_size=20).map(np.array)
folds = st.integers(2, 20)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0, 6.0], {"mean": 3.0, "std": np.sqrt(14 / 3), "n": 4}),
        ([0.5, 0.5], {"mean": 0.5, "std": 0.0, "n": 2}),
        ([0.7], {"mean": 0.7, "std": 0.0, "n": 1}),
    ],
)
def test_mean_std(values, expected, recwarn):
    assert paired.mean_std(values) == pytest.approx(expected)
    assert not recwarn.list


def test_corrected_t_by_hand():
    found = paired.corrected_resampled_t(CHECK, 5)
    scale = np.sqrt((1 / 5 + 1 / 4) * 0.00122)  # sample variance 0.00122
    assert found["difference"] == pytest.approx(0.078)
    assert found["t"] == pytest.approx(0.078 / scale)
    assert (round(found["t"], 2), round(found["p"], 3)) == (3.33, 0.029)
    assert found["ci_low"] == pytest.approx(0.078 - 2.776445 * scale)
    assert found["ci_high"] == pytest.approx(0.078 + 2.776445 * scale)


def test_repeats_raise_n_but_not_the_correction():
    found = paired.corrected_resampled_t(np.tile(CHECK, 2), 5)
    variance = 0.00122 * 4 * 2 / 9
    assert found["t"] == pytest.approx(0.078 / np.sqrt((1 / 10 + 1 / 4) * variance))


def test_without_the_correction_it_is_scipys_paired_t():
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(0)
    baseline = generator.normal(0.99, 0.001, 10)
    variant = baseline + generator.normal(0.0005, 0.001, 10)
    found = paired.corrected_resampled_t(variant - baseline, UNCORRECTED)
    scipys = ttest_rel(variant, baseline)
    interval = scipys.confidence_interval(0.95)
    assert (found["t"], found["p"]) == pytest.approx((scipys.statistic, scipys.pvalue))
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((interval.low, interval.high))
    checked = paired.corrected_resampled_t(CHECK, UNCORRECTED)
    assert round(checked["p"], 4) == 0.0075


def test_bayesian_twin_is_students_distribution_with_centre_and_scale():
    from scipy.stats import t as student

    posterior = student(4, loc=0.078, scale=np.sqrt((1 / 5 + 1 / 4) * 0.00122))
    found = paired.bayesian_correlated_t(CHECK, 5, rope=0.05)
    assert found["p_worse"] == pytest.approx(posterior.cdf(-0.05))
    assert found["p_equal"] == pytest.approx(posterior.cdf(0.05) - posterior.cdf(-0.05))
    assert found["p_better"] == pytest.approx(posterior.sf(0.05))


def test_without_a_rope_the_twins_agree():
    p = paired.corrected_resampled_t(CHECK, 5)["p"]
    assert paired.bayesian_correlated_t(CHECK, 5, 0)["p_worse"] == pytest.approx(p / 2)


@pytest.mark.parametrize(
    ("constant", "t", "p", "probabilities"),
    [
        (0.0, 0.0, 1.0, (0.0, 1.0, 0.0)),
        (1e-17, 0.0, 1.0, (0.0, 1.0, 0.0)),
        (0.01, np.inf, 0.0, (0.0, 0.0, 1.0)),
        (-0.01, -np.inf, 0.0, (1.0, 0.0, 0.0)),
        (0.0001, np.inf, 0.0, (0.0, 1.0, 0.0)),
    ],
)
def test_a_constant_difference_is_certain_and_never_nan(constant, t, p, probabilities, recwarn):
    difference = constant + np.array([0, 1e-17, -1e-17, 0, 0])  # rounding is no variance
    test = paired.corrected_resampled_t(difference, 5)
    assert (test["t"], test["p"]) == (t, p)
    centre = constant if abs(constant) > 1e-12 else 0.0
    assert (test["difference"], test["ci_low"], test["ci_high"]) == (centre, centre, centre)
    found = paired.bayesian_correlated_t(difference, 5, rope=0.0005)
    assert (found["p_worse"], found["p_equal"], found["p_better"]) == probabilities
    assert not recwarn.list


@given(differences, folds, st.floats(0, 0.1))
def test_swapping_variant_and_baseline_mirrors_everything(difference, folds, rope):
    one = paired.corrected_resampled_t(difference, folds)
    other = paired.corrected_resampled_t(-difference, folds)
    assert one["p"] == pytest.approx(other["p"])
    assert (one["ci_low"], one["ci_high"]) == pytest.approx((-other["ci_high"], -other["ci_low"]))
    assert one["ci_low"] <= one["difference"] <= one["ci_high"]
    mine = paired.bayesian_correlated_t(difference, folds, rope)
    theirs = paired.bayesian_correlated_t(-difference, folds, rope)
    assert mine["p_better"] == pytest.approx(theirs["p_worse"])
    assert mine["p_equal"] == pytest.approx(theirs["p_equal"])
    assert sum(mine.values()) == pytest.approx(1)
    assert all(0 <= value <= 1 for value in mine.values())


def fold_differences(experiments, images, count, repeats, signal):
    """Return accuracy differences of two equally good recipes: (experiments, count * repeats).

    Both put a nearest-centroid classifier on one feature each, and the two features have the same
    distribution, so neither recipe is better. The folds and training sets are real ones. The
    weaker the signal, the more does a model depend on which images it was trained on.
    """
    generator = np.random.default_rng(0)
    label = np.arange(images) % 2
    feature = generator.normal(signal * label, 1.0, (experiments, 2, images))
    found = []
    for _ in range(repeats):
        fold = generator.permutation(images) % count
        for number in range(count):
            validation = fold == number
            near = [
                np.abs(
                    feature[..., validation]
                    - feature[..., ~validation & (label == k)].mean(axis=2, keepdims=True)
                )
                for k in (0, 1)
            ]
            accuracy = ((near[1] < near[0]) == label[validation]).mean(axis=2)
            found.append(accuracy[:, 0] - accuracy[:, 1])
    return np.stack(found, axis=1)


@pytest.mark.parametrize(
    ("count", "repeats", "signal", "low", "high", "naive_at_least"),
    [
        (5, 1, 0.3, 0.035, 0.065, 0.12),
        (10, 1, 0.5, 0.025, 0.055, 0.09),
        (5, 4, 0.7, 0.035, 0.065, 0.30),
        (5, 4, 0.3, 0.065, 0.125, 0.40),  # the limit that the module's head names
    ],
)
def test_false_positives_are_near_five_percent_where_the_plain_test_has_many(
    count, repeats, signal, low, high, naive_at_least
):
    all_differences = fold_differences(2000, 60, count, repeats, signal)

    def false_positives(folds):
        tests = [paired.corrected_resampled_t(d, folds) for d in all_differences]
        return np.mean([test["p"] < 0.05 for test in tests])

    assert low <= false_positives(count) <= high  # one standard error is .005
    assert false_positives(UNCORRECTED) >= naive_at_least


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.5], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([], []),
    ],
)
def test_holm_by_hand(p, expected):
    assert paired.holm(p) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_raises_p_and_keeps_its_order(p):
    adjusted = paired.holm(p)
    assert all(before <= after <= 1 for before, after in zip(p, adjusted, strict=True))
    in_order = [adjusted[i] for i in np.argsort(p, kind="stable")]
    assert in_order == sorted(in_order)
    if p:
        assert min(adjusted) == pytest.approx(min(1, len(p) * min(p)))


@pytest.mark.parametrize(
    ("only_this", "only_other", "p"),
    [
        (9, 1, 2 * (1 + 10) / 2**10),
        (1, 9, 2 * (1 + 10) / 2**10),
        (5, 0, 2 / 2**5),
        (3, 3, 1.0),
        (1, 0, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_by_hand(only_this, only_other, p):
    correct = np.array([True] * only_this + [False] * only_other + [True, False])
    other = np.array([False] * only_this + [True] * only_other + [True, False])
    assert paired.mcnemar(correct, other) == pytest.approx(p)


def test_mcnemar_equals_mlxtends_exact_test():
    from mlxtend.evaluate import mcnemar, mcnemar_table

    generator = np.random.default_rng(1)
    label = generator.integers(0, 3, 500)
    one, other = (np.where(generator.random(500) < share, label, 3) for share in (0.9, 0.85))
    table = mcnemar_table(label, one, other)
    expected = mcnemar(table, exact=True)[1]
    assert 0 < expected < 1
    assert paired.mcnemar(one == label, other == label) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("difference", "low", "high", "p_holm", "p_equal", "expected"),
    [
        (0.003, 0.001, 0.005, 0.01, 0.0, "better"),
        (-0.003, -0.005, -0.001, 0.01, 0.0, "worse"),
        (0.003, 0.001, 0.005, 0.06, 0.0, "undecided"),
        (0.001, -0.001, 0.003, 0.30, 0.2, "undecided"),
        (0.0, -0.0006, 0.0006, 0.90, 0.95, "no difference"),
        (0.0001, -0.0004, 0.0005, 0.60, 0.94, "no difference"),
        (0.0002, 0.0001, 0.0003, 0.001, 1.0, "no difference"),
    ],
)
def test_outcome(difference, low, high, p_holm, p_equal, expected):
    row = {"difference": difference, "ci_low": low, "ci_high": high}
    row |= {"p_holm": p_holm, "p_equal": p_equal}
    assert paired.outcome(row, rope=0.0005) == expected
