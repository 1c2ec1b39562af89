"""The mean over several data sets: by hand, against scipy, and by simulation."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f_oneway
from scipy.stats import t as student

from stages.statistics import baseline, paired, suite
from tests.compared import GAIN, TIED

RANDOM = np.random.default_rng(0)
IMAGES = defaultdict(lambda: 100)  # of any source


def estimate(centre, scale, freedom):
    return centre, student(freedom, centre, scale)


def scores(sources, variants=3):
    names = [f"v{number}" for number in range(variants)]
    made = 0.9 + 0.02 * RANDOM.standard_normal((sources, variants, 5))
    return {f"s{place}": dict(zip(names, one, strict=True)) for place, one in enumerate(made)}


def test_the_mean_and_its_degrees_of_freedom_by_hand():
    centre, expected = suite.mean([estimate(0.01, 0.003, 4), estimate(0.03, 0.004, 8)])
    freedom, location, scale = expected.args
    assert (centre, location) == pytest.approx((0.02, 0.02))
    assert scale == pytest.approx(0.005 / 2)  # sqrt(.003^2 + .004^2) / 2
    assert freedom == pytest.approx(25**2 / (81 / 4 + 256 / 8))


def test_of_equal_scales_the_degrees_of_freedom_add_up():
    _, expected = suite.mean([estimate(0.0, 0.01, 4)] * 6)
    assert expected.args == pytest.approx((24, 0, 0.01 / np.sqrt(6)))


def test_a_constant_difference_counts_in_the_mean_and_adds_no_variance():
    centre, expected = suite.mean([(0.0, None), estimate(0.02, 0.004, 4)])
    assert centre == pytest.approx(0.01)
    assert expected.args == pytest.approx((4, 0.01, 0.002))
    assert suite.mean([(0.0, None), (0.02, None)]) == (0.01, None)


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(1e-3, 1), st.floats(1, 100)), min_size=2, max_size=9
    )
)
def test_the_mean_has_at_least_the_fewest_and_at_most_all_degrees_of_freedom(values):
    each = [one[2] for one in values]
    _, expected = suite.mean([estimate(*one) for one in values])
    assert min(each) * (1 - 1e-9) <= expected.args[0] <= sum(each) * (1 + 1e-9)


def test_whether_sources_differ_is_welch_s_test():
    samples = [RANDOM.normal(place, 1 + place, 6 + place) for place in range(5)]
    estimates = [
        estimate(one.mean(), one.std(ddof=1) / np.sqrt(len(one)), len(one) - 1) for one in samples
    ]
    found = suite.between(estimates)
    assert found["between_p"] == pytest.approx(f_oneway(*samples, equal_var=False).pvalue)
    squares = [expected.args[2] ** 2 for _, expected in estimates]
    variance = np.var([one for one, _ in estimates], ddof=1) - np.mean(squares)
    assert found["between_sd"] == pytest.approx(np.sqrt(max(0, variance)))


def test_few_sources_or_constant_differences_do_not_tell_whether_they_differ():
    own = [estimate(0.1 * place, 0.01, 4) for place in range(5)]
    assert suite.between(own)["between_p"] < 0.001
    assert suite.between(own[1:]) == {}
    assert suite.between([*own, (0.0, None)]) == {}
    assert suite.between([own[0]] * 5)["between_sd"] == 0


def test_rows_of_a_source_are_those_of_its_own_comparison_but_for_holm():
    made = scores(3)
    rows = suite.against_baseline(made, "v1", 5, 0.001, "accuracy", IMAGES)
    for source, score in made.items():
        correct = dict.fromkeys(score, np.ones(9, bool))
        for alone in baseline.against_baseline(score, correct, "v1", 5, 0.001):
            (row,) = (
                row for row in rows if (row["source"], row["variant"]) == (source, alone["variant"])
            )
            for key in ("cv_mean", "cv_std", "n", "difference", "ci_low", "ci_high", "p"):
                assert row[key] == alone[key], key


def test_holm_is_for_variants_and_sources_and_that_of_means_for_variants():
    rows = suite.against_baseline(scores(4), "v0", 5, 0.001, "accuracy", IMAGES)
    order = [(row["variant"], row["source"]) for row in rows]
    sources = ["s0", "s1", "s2", "s3"]
    assert order[:4] == [("v0", source) for source in sources]
    assert order[4:9] == [("v1", source) for source in [*sources, "all"]]
    assert [row["outcome"] for row in rows[:4]] == ["baseline"] * 4
    for is_mean, count in ((False, 8), (True, 2)):
        family = [row for row in rows[4:] if (row["source"] == "all") == is_mean]
        assert len(family) == count
        assert [row["p_holm"] for row in family] == paired.holm([row["p"] for row in family])
    assert {row["n"] for row in rows if row["source"] == "all"} == {4}


def test_what_no_source_decides_alone_several_do_together():
    made = {f"s{place}": {"basic": TIED, "other": TIED + GAIN / 2} for place in range(6)}
    *each, mean = suite.against_baseline(made, "basic", 5, 0.0005, "accuracy", IMAGES)[6:]
    assert {row["outcome"] for row in each} == {"undecided"}
    assert mean["outcome"] == "better"
    assert mean["difference"] == pytest.approx(0.039)
    half = student.ppf(0.975, 24) * np.sqrt(0.45 * 0.00122) / 2 / np.sqrt(6)
    assert mean["ci_high"] - mean["difference"] == pytest.approx(half)
    tied = {name: {"basic": TIED, "other": TIED} for name in ("one", "two")}
    assert (
        suite.against_baseline(tied, "basic", 5, 0, "accuracy", IMAGES)[-1]["outcome"]
        == "no difference"
    )


@pytest.mark.slow
def test_false_positives_are_five_percent_for_normal_estimates_of_unequal_scales():
    """Where the model of paired.py holds exactly; simulated learners are in docs/statistics.md."""
    random = np.random.default_rng(1)
    true = np.array([0.01, 0.01, 0.03])
    rejected = []
    for _ in range(1000):
        scale = true * np.sqrt(random.chisquare(4, 3) / 4)
        own = [estimate(*one, 4) for one in zip(random.normal(0, true), scale, strict=True)]
        rejected.append(paired.tested(*suite.mean(own))["p"] < 0.05)
    assert 0.03 <= np.mean(rejected) <= 0.07  # one standard error is .007
