"""False positives of few folds: the quick form, and a member that is easily judged."""

import sys

import numpy as np

from benchmarks import few_folds, statistics_tables
from stages.files import read_json


def test_the_quick_form_writes_what_the_table_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["few_folds", "--quick", "--folder", str(tmp_path)])
    monkeypatch.setattr(few_folds, "MEMBERS", ["nearest_mean"])
    few_folds.main()
    record = read_json(tmp_path / "few_folds.json")
    assert capsys.readouterr().out.strip() == str(tmp_path / "few_folds.json")
    designs = record["members"]["nearest_mean"]["designs"]
    assert [*designs] == ["2 x 1", "3 x 1", "4 x 1", "5 x 1", "2 x 3", "3 x 2", "4 x 2"]
    assert {one[kind]["replicates"] for one in designs.values() for kind in one} == {10}
    lines = statistics_tables.few_folds(record).splitlines()
    assert lines[2].startswith("| nearest mean, n = 400 | 10 | ")
    assert len({line.count("|") for line in lines[:3]}) == 1


def test_a_real_difference_is_found_and_none_is_not(monkeypatch):
    def scores(fit, variants, labels, design, seed):
        folds, _, repeats = design
        found = np.full((variants, folds * repeats), 0.8)
        found[1] += 0.1
        return found + 0.001 * np.random.default_rng(seed).normal(size=found.shape), None

    monkeypatch.setattr(few_folds, "cross_validated", scores)
    assert few_folds.tests("nearest_mean", 0, 5, 1) == (True, True)
    monkeypatch.setattr(few_folds, "cross_validated", lambda *given: (np.full((5, 5), 0.8), None))
    assert few_folds.tests("nearest_mean", 0, 5, 1) == (False, False)
