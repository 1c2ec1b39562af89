"""The stage `compare`, on small hand-made results."""

import re
from pathlib import Path

import numpy as np
import pytest

from stages import files
from stages.compare import compare
from stages.statistics.baseline import COLUMNS
from stages.statistics.metrics import METRICS
from tests.compared import (
    BETTER,
    KNOWN,
    LEANING,
    PAGE,
    REPORT,
    TABLE,
    TIED,
    WORSE,
    choose,
    rows,
    update,
    write_four,
    write_variant,
)
from tests.drawn import encoded, pixels

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def drawn(monkeypatch):
    """Skip drawing; return the arguments of each figure."""
    calls = []
    monkeypatch.setattr("stages.compare.draw", lambda *arguments, **named: calls.append(arguments))
    for name in ("curves", "confusion_difference"):
        monkeypatch.setattr(f"stages.report.pictures.{name}", lambda *arguments, **named: None)
    monkeypatch.setattr("stages.figures.style.png", lambda figure: encoded(pixels()))
    return calls


@pytest.fixture
def four():
    write_four()


def test_table_and_report_agree_with_calculations_by_hand(four, drawn):
    compare()
    lines = TABLE.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2].startswith("basic,basic,0.8,0.07")
    assert ",5,,,,,,,,,,baseline,baseline,0." in lines[2]
    found = rows()
    assert list(found) == ["worse_one", "basic", "better_one", "leaning"]
    assert float(found["better_one"]["mcnemar_p"]) == pytest.approx(2 / 2**9)  # nine more correct
    assert float(found["worse_one"]["mcnemar_p"]) == pytest.approx(2 / 2**10)
    lines = REPORT.read_text(encoding="utf-8").splitlines()
    order = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert order == ["better_one", "leaning", "basic", "worse_one"]
    best = next(line for line in lines if line.startswith("| `better_one`"))
    assert best.startswith("| `better_one` | 87.80 ± 7.22 | +7.80 (1.34 to 14.26) | 0.989 |")
    assert best.endswith(" | 95.50 | 1,234 | undecided |")


def test_ties_are_no_difference_and_nowhere_nan(drawn):
    choose("basic", "twin", "twin_too", rope=0.2)
    for name in ("basic", "twin", "twin_too"):
        write_variant(name)
        update(name, environment=KNOWN)
    compare()
    assert "with python 3.11, keras 3.15.1, kernels avx2, precision float32." in PAGE.read_text(
        "utf-8"
    )
    assert rows()["twin"]["verdict"] == "no difference beyond 20 points"  # of the settings
    for name in ("twin", "twin_too"):
        row = rows()[name]
        assert row["p_best"] == pytest.approx(1 / 3)
        assert [float(row[key]) for key in COLUMNS[5:-5]] == [0, 0, 0, 1, 1, 0, 1, 0, 1]
    assert "nan" not in REPORT.read_text(encoding="utf-8").lower()


def test_repeats_count_as_folds_but_the_correction_is_of_one_cross_validation(drawn):
    choose("basic", "other", repeats=2)
    write_variant("basic", np.tile(TIED, 2))
    write_variant("other", np.tile(BETTER, 2))
    compare()
    row = rows()["other"]
    scale = np.sqrt((1 / 10 + 1 / 4) * 0.00122 * 8 / 9)
    assert row["n"] == 10
    assert float(row["ci_high"]) == pytest.approx(0.078 + 2.262157 * scale)
    for path in (REPORT, PAGE):
        assert "5 folds x 2 repeats" in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_same_bytes_twice(four):
    names = ("comparison.csv", "comparison.md", "report.html", "test_set_uses.csv")
    paths = [*(Path("results", name) for name in names), Path("results/plots/comparison.png")]
    compare()
    before = [path.read_bytes() for path in paths]
    compare()
    assert [path.read_bytes() for path in paths] == before


def test_of_many_variants_the_best_and_the_baseline_are_drawn(four, drawn, monkeypatch):
    monkeypatch.setattr("stages.compare.DRAWN", 2)
    compare()
    ((shown, *_),) = drawn
    assert [row["variant"] for row in shown] == ["better_one", "basic"]


def test_markers_of_variants_no_longer_chosen_go(four, drawn):
    for name in ("basic", "gone"):
        files.write_json(Path("results/published") / f"{name}.json", {})
    compare()
    assert [path.name for path in Path("results/published").iterdir()] == ["basic.json"]


@pytest.mark.slow
def test_counts_every_training_that_the_test_set_scored(four, drawn):
    def counted():
        compare()
        count = re.search("([0-9]+) trained models? ha", REPORT.read_text("utf-8"))[1]
        assert f"{count} trained model" in PAGE.read_text("utf-8")
        return int(count)

    assert counted() == 4  # missing uses are added to the ledger
    ledger = Path("results/test_set_uses.csv")
    write_variant("leaning", LEANING, wrong=range(10), test=0.8)
    assert counted() == 5
    choose("basic", "better_one")
    assert counted() == 5
    other = ledger.read_text().replace("\n", f"\n{'34' * 32},basic,{'56' * 32}\n", 1)
    ledger.write_text(other)
    assert counted() == 5
    assert ledger.read_text() == other  # sorted, and lines of other test sets stay


def write_scores(**variants):
    """Write scores of folds, the same by each metric."""
    for name, scores in variants.items():
        cells = [(fold, *[score] * len(METRICS)) for fold, score in enumerate(scores)]
        files.write_table(f"results/{name}/fold_scores.csv", ("fold", *METRICS), cells)


def test_another_metric_decides_and_is_named_everywhere(drawn):
    choose("basic", "better_one", metric="roc_auc")
    write_variant("basic")
    write_variant("better_one", WORSE)
    write_scores(basic=TIED, better_one=BETTER)
    compare()
    found = rows()["better_one"]
    assert (found["outcome"], found["metric"]) == ("better", "roc_auc")
    assert found["cv_mean"] == pytest.approx(BETTER.mean())
    assert "CV ROC AUC, %" in REPORT.read_text()
    assert "CV ROC AUC" in PAGE.read_text()
    for path in (REPORT, PAGE):
        assert "ROC AUC of each fold" in path.read_text()
    choose("basic", "better_one", metric="log_loss", rope=0.001)
    write_scores(basic=-0.4 - TIED, better_one=-TIED)
    compare()
    assert rows()["better_one"]["verdict"].startswith("better by 0.4000 nats")
    assert "difference, nats" in REPORT.read_text()


def test_near_duplicates_have_a_section_and_a_check(drawn):
    choose("basic")
    write_variant("basic")
    path = Path("data/prepared/dataset.json")
    near = {"groups": 3, "images": 22, "between": 1, "two_labels": 0}
    files.write_json(path, files.read_json(path) | {"near_duplicates": near | {"searched": True}})
    compare()
    assert 'id="near"' in PAGE.read_text()
    assert "near-duplicates" in REPORT.read_text()


def test_a_check_with_two_findings_is_named_once(drawn):
    choose("basic", "simple", "simpler")
    write_variant("basic", WORSE)
    for name, architecture in (("simple", "logistic"), ("simpler", "majority")):
        write_variant(name)
        update(name, settings={"architecture": {"name": architecture}})
    compare()
    assert rows()["basic"]["checks"] == "beaten-by-simple"
