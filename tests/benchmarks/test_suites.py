"""The simulation of suites: its other rules by hand, and its quick form."""

import sys

import pytest
from scipy.stats import norm
from scipy.stats import t as student

from benchmarks import statistics_tables, suites
from stages.files import read_json


def estimate(centre, scale):
    return centre, student(4, centre, scale)


def test_the_normal_rules_by_hand():
    own = [estimate(0.02, 0.01), estimate(0.04, 0.02), (0.0, None)]
    equal = (0.06 / 3) / ((0.01**2 + 0.02**2) ** 0.5 / 3)
    assert suites.normal(own, weighted=False) == pytest.approx(2 * norm.sf(equal))
    weighted = (0.02 / 0.01**2 + 0.04 / 0.02**2) / (1 / 0.01**2 + 1 / 0.02**2) ** 0.5
    assert suites.normal(own, weighted=True) == pytest.approx(2 * norm.sf(weighted))
    assert suites.normal(own[2:], weighted=True) == 1


def test_a_difference_on_all_data_sets_is_found_and_no_difference_is_not():
    different, alike = ([[estimate(centre, 0.001)] * 2] * 5 for centre in (0.1, 0.0))
    found = suites.rejected([different, alike, alike, alike])
    assert found["mean"]["rate"] == found["mean_of_two_variants"]["rate"] == 0.25
    assert found["between"]["rate"] == 0


def test_the_quick_form_writes_what_the_table_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["suites", "--quick", "--folder", str(tmp_path)])
    monkeypatch.setattr(suites, "MEMBERS", ("nearest_mean", "chance"))
    suites.main()
    record = read_json(tmp_path / "suites.json")
    assert capsys.readouterr().out.strip() == str(tmp_path / "suites.json")
    assert [*record["members"]] == ["nearest_mean", "chance", suites.MIXED]
    assert all([*sizes] == ["2", "5", "10"] for sizes in record["members"].values())
    lines = statistics_tables.suites(record).splitlines()
    assert lines[2].startswith("| nearest mean, n = 400 | 2 | 5 |")
    assert "between" not in record["members"]["chance"]["2"]
