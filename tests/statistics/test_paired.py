"""Statistics between variants: by hand, against scipy, and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from stages.statistics import paired
from tests.compared import GAIN

SCALE = np.sqrt((1 / 5 + 1 / 4) * 0.00122)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0, 6.0], {"mean": 3.0, "std": np.sqrt(14 / 3), "n": 4}),
        ([0.7], {"mean": 0.7, "std": 0.0, "n": 1}),
    ],
)
def test_mean_std(values, expected, recwarn):
    assert paired.mean_std(values) == pytest.approx(expected)
    assert not recwarn.list


def test_corrected_t_and_its_bayesian_form_by_hand():
    found = paired.corrected_resampled_t(GAIN, 5)
    assert found["difference"] == pytest.approx(0.078)
    assert found["p"] == pytest.approx(2 * student.sf(0.078 / SCALE, 4))
    assert found["p"] == pytest.approx(0.029134, abs=1e-6)
    assert found["ci_low"] == pytest.approx(0.078 - 2.776445 * SCALE)
    assert found["ci_high"] == pytest.approx(0.078 + 2.776445 * SCALE)
    posterior = student(4, loc=0.078, scale=SCALE)
    found = paired.bayesian_correlated_t(GAIN, 5, rope=0.05)
    assert found["p_worse"] == pytest.approx(posterior.cdf(-0.05))
    assert found["p_equal"] == pytest.approx(posterior.cdf(0.05) - posterior.cdf(-0.05))
    assert found["p_better"] == pytest.approx(posterior.sf(0.05))


@pytest.mark.parametrize(
    ("constant", "p", "probabilities"),
    [
        (0.0, 1.0, (0.0, 1.0, 0.0)),
        (1e-17, 1.0, (0.0, 1.0, 0.0)),
        (0.01, 0.0, (0.0, 0.0, 1.0)),
        (-0.01, 0.0, (1.0, 0.0, 0.0)),
        (0.0001, 0.0, (0.0, 1.0, 0.0)),
    ],
)
def test_a_constant_difference_is_certain_and_never_nan(constant, p, probabilities, recwarn):
    difference = constant + np.array([0, 1e-17, -1e-17, 0, 0])  # rounding is no variance
    mean = constant if abs(constant) > 1e-12 else 0.0
    found = paired.corrected_resampled_t(difference, 5)
    assert found == {"difference": mean, "p": p, "ci_low": mean, "ci_high": mean}
    assert tuple(paired.bayesian_correlated_t(difference, 5, 0.0005).values()) == probabilities
    assert not recwarn.list


def test_a_constant_difference_has_the_least_variance_of_so_many_images():
    tie, tenth, varied = np.zeros(5), np.full(5, -0.1), np.array([0.1, 0.2, 0.1, 0.1, 0.2])
    none, least, own = paired.variances(np.array([tie, tenth, varied]), images=20)
    assert none is None
    assert least == pytest.approx((0.09 / 20, 4))
    assert own == pytest.approx((varied.var(ddof=1), 4))
    _, again, *pooled = paired.variances(np.array([tie, tenth, varied, varied[::-1]]), images=20)
    assert again == least  # however many others are compared
    assert {one.freedom for one in pooled} == {8}
    assert paired.variances(np.array([tie, tenth])) == [None, None]
    found = paired.corrected_resampled_t(tenth, 5, least)
    scale = np.sqrt((1 / 5 + 1 / 4) * 0.09 / 20)
    assert found["p"] == pytest.approx(2 * student.sf(0.1 / scale, 4))
    assert paired.bayesian_correlated_t(tenth, 5, 0, least)["p_worse"] < 1


@pytest.mark.slow
@pytest.mark.parametrize(("folds", "images"), [(2, 4), (3, 6), (5, 10)])
def test_equal_variants_on_few_images_are_rarely_told_apart(folds, images):
    random = np.random.default_rng(folds)
    correct = random.random((4000, 2, folds, images)) < 0.75
    found = 0
    for score in correct.mean(axis=3):
        difference = score[1] - score[0]
        (variance,) = paired.variances(difference[np.newaxis], images)
        found += paired.corrected_resampled_t(difference, folds, variance)["p"] < 0.05
    assert found / 4000 < 0.05


@settings(max_examples=30)
@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=20).map(np.array),
    st.integers(2, 20),
    st.floats(0, 0.1),
)
def test_swapping_variant_and_baseline_mirrors_everything(difference, folds, rope):
    one = paired.corrected_resampled_t(difference, folds)
    other = paired.corrected_resampled_t(-difference, folds)
    assert one["p"] == pytest.approx(other["p"])
    assert (one["ci_low"], one["ci_high"]) == pytest.approx((-other["ci_high"], -other["ci_low"]))
    assert one["ci_low"] <= one["difference"] <= one["ci_high"]
    mine = paired.bayesian_correlated_t(difference, folds, rope)
    theirs = paired.bayesian_correlated_t(-difference, folds, rope)
    assert mine["p_better"] == pytest.approx(theirs["p_worse"])
    assert sum(mine.values()) == pytest.approx(1)
    assert all(0 <= value <= 1 for value in mine.values())
    if rope == 0 and one["p"] not in (0, 1):
        assert min(mine["p_worse"], mine["p_better"]) == pytest.approx(one["p"] / 2)


def fold_differences(experiments, images, count, repeats, signal):
    """Return accuracy differences of two equally good recipes: (experiments, count * repeats).

    Each applies a nearest-centroid classifier to one feature, and the two features have the same
    distribution, so neither recipe is better. The folds and training sets are real ones. The
    weaker the signal, the more a model depends on which images it was trained on.
    """
    generator = np.random.default_rng(0)
    label = np.arange(images) % 2
    feature = generator.normal(signal * label, 1.0, (experiments, 2, images))
    found = []
    for _ in range(repeats):
        fold = generator.permutation(images) % count
        for number in range(count):
            validation = fold == number
            centroids = [
                feature[..., ~validation & (label == k)].mean(axis=2, keepdims=True) for k in (0, 1)
            ]
            first, second = (np.abs(feature[..., validation] - one) for one in centroids)
            accuracy = ((second < first) == label[validation]).mean(axis=2)
            found.append(accuracy[:, 0] - accuracy[:, 1])
    return np.stack(found, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "repeats", "signal", "low", "high", "naive_at_least"),
    [
        (5, 1, 0.3, 0.03, 0.07, 0.12),
        (10, 1, 0.5, 0.02, 0.06, 0.09),
        (5, 4, 0.3, 0.06, 0.13, 0.40),  # the limit that the module's docstring names
    ],
)
def test_false_positives_are_near_five_percent_where_the_plain_test_has_many(
    count, repeats, signal, low, high, naive_at_least
):
    differences = fold_differences(1000, 60, count, repeats, signal)
    p = [paired.corrected_resampled_t(one, count)["p"] for one in differences]
    assert low <= np.mean(np.less(p, 0.05)) <= high  # one standard error is .007
    varied = differences[np.ptp(differences, axis=1) > 0]
    assert np.mean(ttest_1samp(varied, 0, axis=1).pvalue < 0.05) >= naive_at_least


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.5], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holm_by_hand(p, expected):
    assert paired.holm(p) == pytest.approx(expected)


@settings(max_examples=30)
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
        (0, 0, 1.0),
    ],
)
def test_mcnemar_by_hand(only_this, only_other, p):
    correct = np.array([True] * only_this + [False] * only_other + [True, False])
    other = np.array([False] * only_this + [True] * only_other + [True, False])
    assert paired.mcnemar(correct, other) == pytest.approx(p)
