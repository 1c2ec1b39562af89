"""The stage `compare`, on small hand-made results."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from stages import files
from stages.compare import compare
from stages.errors import UserError
from stages.statistics.baseline import COLUMNS
from stages.statistics.metrics import METRICS
from stages.statistics.paired import variances
from tests.drawn import encoded, pixels
from tests.report import made

LABEL = np.tile([0, 1], 20)  # of 40 training images, 8 in each of 5 folds
TIED = np.array([0.8, 0.7, 0.8, 0.9, 0.8])
GAIN = np.array([0.08, 0.12, 0.03, 0.10, 0.06])  # corrected t = 3.33, p = .029
BETTER, WORSE = TIED + GAIN, TIED - GAIN
LEANING = TIED + np.array([0.08, -0.05, 0.03, 0.0, 0.01])
FILES = {"folds.csv": "train", "history.csv": "train", "training.json": "train"}
FILES |= dict.fromkeys(("fold_scores.csv", "metrics.json", "predictions.npz"), "evaluate")
TABLE, REPORT = Path("results/comparison.csv"), Path("results/comparison.md")
KNOWN = {"python": "3.11", "keras": "3.15.1", "kernels": "avx2"}
MIXED = {"train": {"precision": "mixed_bfloat16"}}
PAGE, LEANS = Path("results/report.html"), Path("results/leaning")
pytestmark = pytest.mark.usefixtures("folder")


def write_variant(name, accuracy=TIED, wrong=(), *, label=LABEL, test=0.9, **changed):
    """Write a variant's files of train and evaluate; `wrong` are its out-of-fold mistakes."""
    right = ~np.isin(np.arange(len(label)), wrong)
    probability = np.eye(2, dtype=np.float32)[np.where(right, label, 1 - label)]
    scores = {"accuracy": test}
    folder = Path("results") / name
    made.write(folder, accuracy, [probability] * 2, [label] * 2, scores=scores, **changed)


def choose(*names, repeats=1, **compare):
    images, folds = np.zeros((40, 4, 4, 1), "uint8"), {"count": 5, "repeats": repeats}
    compare = {"baseline": "basic"} | compare
    made.prepare(Path(), names, [LABEL] * 2, ["zero", "one"], images, folds=folds, **compare)


def rows():
    return {row["variant"]: row for row in files.read_table(TABLE)}


def update(name, **content):
    """Change keys of the file training.json of a variant."""
    path = Path("results") / name / "training.json"
    files.write_json(path, files.read_json(path) | content)


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
    """Four chosen variants with finished results."""
    choose("worse_one", "basic", "better_one", "leaning")
    write_variant("basic", wrong=range(10))
    write_variant("better_one", BETTER, wrong=[0], test=0.955)
    write_variant("worse_one", WORSE, wrong=range(20))
    write_variant("leaning", LEANING, wrong=range(10))


def test_table_and_report_hold_what_hand_calculation_gives(four, drawn):
    compare()
    lines = TABLE.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2].startswith("basic,basic,0.8,0.07")
    assert ",5,,,,,,,,,,baseline,baseline,0." in lines[2]
    found = rows()
    assert list(found) == ["worse_one", "basic", "better_one", "leaning"]
    better = found["better_one"]
    numbers = {key: float(value) for key, value in better.items() if key in COLUMNS[2:-5]}
    _, variance, _ = variances(np.array([-GAIN, GAIN, LEANING - TIED]))
    expected = student(variance.freedom, 0.078, np.sqrt((1 / 5 + 1 / 4) * variance.value))
    low, high = expected.interval(0.95)
    assert numbers.pop("p_worse") + numbers.pop("p_equal") + numbers["p_better"] == pytest.approx(1)
    assert numbers == pytest.approx(
        {
            "cv_mean": 0.878,
            "cv_std": np.std(BETTER, ddof=1),
            "n": 5,
            "difference": 0.078,
            "ci_low": low,
            "ci_high": high,
            "p": 2 * expected.cdf(0),
            "p_holm": 3 * 2 * expected.cdf(0),
            "p_better": numbers["p_better"],
            "mcnemar_p": 2 / 2**9,  # nine more correct
        },
        rel=1e-4,
    )
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


def test_one_variant_is_reported_without_tests(capsys):
    choose("basic")
    write_variant("basic")
    compare()
    assert rows()["basic"]["verdict"] == "baseline"
    assert "so nothing is tested" in capsys.readouterr().out
    assert Path("results/plots/comparison.png").stat().st_size > 1000


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


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_file_that_is_missing_or_not_what_the_stages_write(four, name):
    for content in (b"", b"{}", b"PK\x03\x04 cut short", b"\xff\xfe,\x00"):
        (LEANS / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{LEANS / name} .*`dvc repro`"):
            compare()
    (LEANS / name).unlink()
    with pytest.raises(UserError, match=f"{LEANS / name} .*`dvc repro {FILES[name]}@leaning`"):
        compare()
    assert not TABLE.exists()


def cut(path, key, end):
    """Leave out rows of an array of predictions.npz."""
    with np.load(path) as stored:
        content = dict(stored)
    np.savez(path, **content | {key: content[key][:end]})


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("folds.csv", lambda path: path.write_text(path.read_text().replace("0.", "O."))),
        ("history.csv", lambda path: path.write_text(path.read_text().replace("0.", "O."))),
        ("metrics.json", lambda path: path.write_text(path.read_text().replace(": 0.9", ': "x"'))),
        ("predictions.npz", lambda path: cut(path, "test_probability", -1)),
        ("predictions.npz", lambda path: cut(path, "oof_label", 5)),
    ],
)
def test_refuses_a_file_that_was_edited_by_hand(four, name, damage):
    damage(LEANS / name)
    with pytest.raises(UserError, match=f"{LEANS / name} .*`dvc repro`"):
        compare()
    assert not TABLE.exists()


def test_refuses_predictions_of_another_number_of_images(four):
    for name in ("worse_one", "basic", "better_one", "leaning"):
        for key in ("oof_probability", "oof_label"):
            cut(f"results/{name}/predictions.npz", key, -2)
    with pytest.raises(UserError, match=r"predictions of 38 .*`dvc repro -f train@"):
        compare()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sha256": "cd" * 32}, "cdcdcdcd.*abababab"),
        ({"accuracy": TIED[:4]}, "4 folds.* 5 x 1"),
        ({"accuracy": [*TIED[:4], np.nan]}, "accuracy"),
        ({"label": 1 - LABEL}, "'basic'.*labels"),
        ({"label": LABEL[:-1]}, "'basic'.*labels"),
    ],
)
def test_refuses_results_of_other_folds_or_data(four, changed, named):
    write_variant("leaning", **changed)
    with pytest.raises(UserError, match=rf"'leaning'.*{named}.*`dvc repro"):
        compare()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (
            {"environment": KNOWN | {"kernels": "avx512f", "keras": "3.16.0"}},
            r"keras 3\.16\.0, kernels avx512f.*'basic' .*keras 3\.15\.1, kernels avx2",
        ),
        ({}, "keras unknown"),
        # `auto` may mean another precision on another machine, with the same params.yaml
        ({"environment": KNOWN, "settings": MIXED}, "mixed_bfloat16.*'basic' .*float32"),
        (
            {"environment": KNOWN, "settings": {"ensemble": {"a": {"train": {}}, "b": MIXED}}},
            "precision float32 and mixed_bfloat16 .*'basic'",
        ),
    ],
)
def test_refuses_variants_of_two_environments_or_precisions(four, changed, named):
    for name in ("worse_one", "basic", "better_one"):
        update(name, environment=KNOWN)
    update("leaning", **changed)
    with pytest.raises(UserError, match=f"'leaning' .*{named}.*`make repro`"):
        compare()
    assert not TABLE.exists()


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


def test_a_bug_of_ours_is_not_taken_for_a_damaged_file(four, monkeypatch):
    def broken(*arguments):
        raise KeyError("a bug")

    monkeypatch.setattr("stages.report.results.classification.per_class", broken)
    with pytest.raises(KeyError, match="a bug"):
        compare()


def test_another_metric_decides_and_is_named_everywhere(drawn):
    choose("basic", "better_one", metric="roc_auc")
    write_variant("basic")
    write_variant("better_one", WORSE)
    columns = ("fold", *METRICS)
    for name, scores in (("basic", TIED), ("better_one", BETTER)):
        cells = [(fold, *[score] * len(METRICS)) for fold, score in enumerate(scores)]
        files.write_table(Path("results") / name / "fold_scores.csv", columns, cells)
    compare()
    found = rows()["better_one"]
    assert (found["outcome"], found["metric"]) == ("better", "roc_auc")
    assert found["cv_mean"] == pytest.approx(BETTER.mean())
    assert "CV ROC AUC, %" in REPORT.read_text()
    assert "CV ROC AUC" in PAGE.read_text()
    assert "ROC AUC of each fold" in REPORT.read_text()
    assert "ROC AUC of each fold" in PAGE.read_text()
    choose("basic", "better_one", metric="log_loss", rope=0.001)
    for name, scores in (("basic", -0.4 - TIED), ("better_one", -TIED)):
        cells = [(fold, *[score] * len(METRICS)) for fold, score in enumerate(scores)]
        files.write_table(Path("results") / name / "fold_scores.csv", columns, cells)
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
