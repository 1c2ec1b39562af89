import pytest

from stages.statistics.paired import mean_std
from tests.benchmarks import quick


def test_both_forms_fit_the_same_seeds(tmp_path):
    found = quick.record("time_to_99", tmp_path)
    assert found["recipe"]["train"]["epochs"] == 1
    for form in ("one_fit_two_threads", "two_fits_one_thread"):
        fits = found[form]
        assert len(fits["accuracies"]) == len(fits["seconds"]["all"]) == 2
        assert fits["accuracy"] == pytest.approx(mean_std(fits["accuracies"]))
        assert fits["mean_reaches_goal"] == (fits["accuracy"]["mean"] >= found["goal"])
    one, two = found["one_fit_two_threads"], found["two_fits_one_thread"]
    assert one["seconds_a_seed"] == pytest.approx(sum(one["seconds"]["all"]) / 2)
    assert max(two["seconds"]["all"]) / 2 <= two["seconds_a_seed"] * (1 + 1e-6)
    assert two["seconds_a_seed"] <= sum(two["seconds"]["all"]) / 2 * (1 + 1e-6)
