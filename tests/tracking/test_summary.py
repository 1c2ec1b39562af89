from pathlib import Path

import pytest

from stages.settings import params
from stages.tracking import record, summary, usage
from tests.tracking.logged import publish, runs_of
from tests.tracking.made_results import everything, fingerprint


def test_the_curves_are_means_of_the_folds_that_reached_an_epoch(repository):
    history = Path("results/basic/history.csv")
    history.write_text(history.read_text().replace("1,2,0.5,", "1,3,0.5,"))
    found = record.read("basic", params.load())
    points = {(point.key, point.step): point.value for point in summary.curves(found, 1000)}
    accuracy = [points["mean_of_folds/val_accuracy", epoch] for epoch in (1, 2, 3)]
    assert accuracy == pytest.approx([0.9005, 0.9, 0.901])
    assert {name for name, _ in points} == {f"mean_of_folds/{name}" for name in summary.CURVES}


@pytest.mark.slow
def test_cpu_and_memory_are_system_metrics_once_and_a_torn_file_is_none(repository):
    path = usage.path(fingerprint("basic"))
    path.parent.mkdir(parents=True)
    path.write_text(f"{','.join(usage.COLUMNS)}\n1000,50.0,900\n6000,75.5,1000\n")
    publish()
    once = everything(repository)
    metrics = runs_of(repository, "parent")["basic"]["metrics"]
    assert metrics["system/cpu_utilization_percentage", 1] == (75.5, 6000)
    assert metrics["system/process_memory_megabytes", 0] == (900, 1000)
    publish()
    assert everything(repository) == once
    path.write_text(path.read_text()[:-5])
    assert summary.usage_of(record.read("basic", params.load())) == []


def test_the_compared_score_is_shown_beside_accuracies_and_is_no_more_if_those_are_compared():
    row = {"outcome": "baseline", "difference": "", "cv_mean": 0.75, "cv_std": 0.02}
    texts = summary.verdict_tags(row | {"metric": "balanced_accuracy"})
    assert texts["compared score"] == "75.00 ± 2.00 % balanced accuracy"
    assert "compared score" not in summary.verdict_tags(row)
    assert summary.verdict_tags(row, texts)["compared score"] == "-"
