"""The stage `compare`, on small hand-made results."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import files
from stages.compare import DRAWN, compare
from stages.errors import UserError
from stages.report.results import SCORES
from stages.statistics.baseline import COLUMNS
from tests.prepared import TRAIN
from tests.report import made

ROOT = Path(__file__).parents[1]
SHA256 = "ab" * 32
LABEL = np.tile([0, 1], 20)  # of 40 training images, 8 in each of 5 folds
TIED = np.array([0.8, 0.7, 0.8, 0.9, 0.8])
GAIN = np.array([0.08, 0.12, 0.03, 0.10, 0.06])  # corrected t = 3.33, p = .029
BETTER, WORSE = TIED + GAIN, TIED - GAIN
LEANING = TIED + np.array([0.08, -0.05, 0.03, 0.0, 0.01])


def write_variant(name, accuracy=TIED, wrong=(), *, label=LABEL, images=8, sha256=SHA256, test=0.9):
    """Write a variant's files of train and evaluate; `wrong` are its out-of-fold mistakes."""
    folder = Path("results") / name
    right = ~np.isin(np.arange(len(label)), wrong)
    probability = np.eye(2, dtype=np.float32)[np.where(right, label, 1 - label)]
    files.write_table(
        folder / "folds.csv",
        ("fold", "accuracy", "loss", "best_epoch", "epochs", "train_images", "val_images"),
        [(fold, float(score), 0.1, 3, 5, 32, images) for fold, score in enumerate(accuracy)],
    )
    training = {"fingerprint": "ef" * 32, "data_sha256": sha256, "parameters": 1234}
    files.write_json(folder / "training.json", training | {"settings": {"train": {"epochs": 5}}})
    files.write_table(
        folder / "history.csv",
        ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"),
        [
            (fold, epoch, 1 / epoch, float(score), 2 / epoch, float(score), 0.001)
            for fold, score in enumerate(accuracy)
            for epoch in (1, 2)
        ],
    )
    scores = dict.fromkeys(SCORES, 0.5) | {"accuracy": test}
    files.write_json(folder / "metrics.json", {"test": scores, "parameters": 1234})
    np.savez(
        folder / "predictions.npz",
        oof_probability=probability,
        oof_label=label,
        test_probability=probability,
        test_label=label,
        test_sha256="12" * 32,
        model_sha256=hashlib.sha256(f"{name} {test}".encode()).hexdigest(),
    )
    (folder / "plots").mkdir(exist_ok=True)
    (folder / "plots" / "data_card.png").write_bytes(b"a picture")


def choose(*names, baseline="basic", rope=0.0005, count=5, repeats=1):
    """Write params.yaml and dataset.json."""
    content = {
        "train": TRAIN,
        "variants": {name: {"architecture": "basic"} for name in names},
        "compare": {"variants": list(names), "baseline": baseline, "rope": rope},
    }
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    dataset = {
        "source": "made by hand",
        "licence": "none",
        "classes": ["zero", "one"],
        "image_shape": [4, 4, 1],
        "train": {"images": 40, "per_class": [20, 20]},
        "test": {"images": 40, "per_class": [20, 20]},
        "folds": {"count": count, "repeats": repeats},
        "sha256": SHA256,
    }
    files.write_json(Path("data/prepared/dataset.json"), dataset)
    np.save("data/prepared/test_images.npy", np.zeros((40, 4, 4, 1), "uint8"))


def rows():
    return {row["variant"]: row for row in files.read_table(Path("results/comparison.csv"))}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def no_picture(monkeypatch):
    """Skip drawing, to save time in tests that do not need the figure."""
    monkeypatch.setattr("stages.compare.draw", lambda *arguments, **keywords: None)

    def save(figure, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a picture")

    monkeypatch.setattr("stages.compare.style.save", save)


@pytest.fixture
def four():
    """Four chosen variants with finished results."""
    choose("worse_one", "basic", "better_one", "leaning")
    write_variant("basic", wrong=range(10))
    write_variant("better_one", BETTER, wrong=[0], test=0.955)
    write_variant("worse_one", WORSE, wrong=range(20))
    write_variant("leaning", LEANING, wrong=range(10))


def test_table_holds_what_hand_calculation_gives(four, no_picture):
    compare()
    header, first = Path("results/comparison.csv").read_text().splitlines()[:2]
    assert header == (
        "variant,baseline,cv_mean,cv_std,n,difference,ci_low,ci_high,"
        "p,p_holm,p_worse,p_equal,p_better,mcnemar_p,verdict,outcome"
    )
    assert first.startswith("worse_one,basic,")
    found = rows()
    assert list(found) == ["worse_one", "basic", "better_one", "leaning"]
    better = {key: found["better_one"][key] for key in COLUMNS if key not in ("verdict", "outcome")}
    for key in set(better) - {"variant", "baseline", "cv_mean", "cv_std", "n"}:
        better[key] = float(better[key])
    scale = np.sqrt((1 / 5 + 1 / 4) * 0.00122)
    assert better["cv_mean"] == pytest.approx(0.878)
    assert better["cv_std"] == pytest.approx(np.std(BETTER, ddof=1))
    assert better["n"] == 5
    assert better["difference"] == pytest.approx(0.078)
    assert better["ci_low"] == pytest.approx(0.078 - 2.776445 * scale)
    assert better["ci_high"] == pytest.approx(0.078 + 2.776445 * scale)
    assert better["p"] == pytest.approx(0.029134, abs=1e-6)
    assert better["p_holm"] == pytest.approx(3 * 0.029134, abs=1e-5)
    assert better["p_better"] + better["p_equal"] + better["p_worse"] == pytest.approx(1)
    assert better["mcnemar_p"] == pytest.approx(2 / 2**9)  # nine more correct
    assert float(found["worse_one"]["mcnemar_p"]) == pytest.approx(2 / 2**10)
    assert found["better_one"]["verdict"] == "undecided: +7.80 points (95 % 1.29 to 14.31)"
    assert found["better_one"]["outcome"] == "undecided"


@pytest.mark.parametrize(
    ("accuracy", "rope", "verdict"),
    [
        (BETTER, 0.0005, "better by 7.80 points (95 % 1.29 to 14.31)"),
        (WORSE, 0.0005, "worse by 7.80 points (95 % 1.29 to 14.31)"),
        (LEANING, 0.0005, "undecided: +1.40 points (95 % -7.40 to 10.20)"),
        (LEANING, 0.2, "no difference beyond 20 points"),
        (TIED, 0.0005, "no difference beyond 0.05 points"),
        (TIED, 0.0, "no difference beyond 0 points"),
        (TIED - 0.01, 0.0005, "worse by 1.00 points (95 % 1.00 to 1.00)"),
    ],
)
def test_verdicts(accuracy, rope, verdict, no_picture):
    choose("basic", "other", rope=rope)
    write_variant("basic")
    write_variant("other", accuracy)
    compare()
    assert rows()["other"]["verdict"] == verdict
    assert f"`other` against the baseline `basic`: {verdict}." in Path(
        "results/comparison.md"
    ).read_text(encoding="utf-8")


def test_baseline_has_empty_cells(four, no_picture):
    compare()
    line = Path("results/comparison.csv").read_text().splitlines()[2]
    assert line.startswith("basic,basic,0.8,0.07")
    assert line.endswith(",5,,,,,,,,,,baseline,baseline")


def test_ties_are_no_difference_and_nowhere_nan():
    choose("basic", "twin", "twin_too")
    for name in ("basic", "twin", "twin_too"):
        write_variant(name)
    compare()
    for name in ("twin", "twin_too"):
        row = rows()[name]
        numbers = [float(row[key]) for key in COLUMNS[5:-2]]
        assert numbers == [0, 0, 0, 1, 1, 0, 1, 0, 1]
    assert "nan" not in Path("results/comparison.md").read_text(encoding="utf-8").lower()


def test_one_variant_is_reported_without_tests(capsys):
    choose("basic")
    write_variant("basic")
    compare()
    assert rows()["basic"]["verdict"] == "baseline"
    assert "so nothing is tested" in capsys.readouterr().out
    assert Path("results/plots/comparison.png").stat().st_size > 1000


def test_report_ranks_by_accuracy(four, no_picture):
    compare()
    lines = Path("results/comparison.md").read_text(encoding="utf-8").splitlines()
    order = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert order == ["better_one", "leaning", "basic", "worse_one"]
    assert lines[6].startswith("| `better_one` | 87.80 ± 7.22 | +7.80 (1.29 to 14.31) | 0.985 |")
    assert " | 95.50 | 1,234 | undecided |" in lines[6]


def test_repeats_count_as_folds_but_the_correction_is_of_one_cross_validation(no_picture):
    choose("basic", "other", repeats=2)
    write_variant("basic", np.tile(TIED, 2))
    write_variant("other", np.tile(BETTER, 2))
    compare()
    row = rows()["other"]
    scale = np.sqrt((1 / 10 + 1 / 4) * 0.00122 * 8 / 9)
    assert row["n"] == 10
    assert float(row["ci_high"]) == pytest.approx(0.078 + 2.262157 * scale)
    assert "5 folds x 2 repeats" in Path("results/comparison.md").read_text(encoding="utf-8")


def test_same_bytes_twice(four):
    names = ("comparison.csv", "comparison.md", "report.html", "test_set_uses.csv")
    paths = [Path("results", name) for name in names]
    paths.append(Path("results/plots/comparison.png"))
    compare()
    before = [path.read_bytes() for path in paths]
    compare()
    assert [path.read_bytes() for path in paths] == before


def test_of_many_variants_the_best_and_the_baseline_are_drawn(tmp_path, monkeypatch):
    names = ["basic", *(f"v{number}" for number in range(DRAWN + 5))]
    made.make(tmp_path, names, train=60, tests=20, repeats=2)
    drawn = []
    monkeypatch.setattr("stages.compare.draw", lambda shown, *rest, **named: drawn.append(shown))
    monkeypatch.setattr("stages.compare.style.save", lambda figure, path: None)
    table = Path("results/basic/folds.csv")  # the baseline becomes the last
    kept = files.read_table(table)
    files.write_table(table, list(kept[0]), [(row | {"accuracy": 0.1}).values() for row in kept])
    compare()
    (shown,) = drawn
    assert len(shown) == DRAWN
    assert shown[-1] == "basic"
    best = sorted(rows().values(), key=lambda row: -row["cv_mean"])
    assert shown[:-1] == [row["variant"] for row in best][: DRAWN - 1]
    page = Path("results/report.html").read_text(encoding="utf-8")
    assert "5 folds x 2 repeats" in page


def test_markers_of_variants_no_longer_chosen_go(four, no_picture):
    for name in ("basic", "gone"):
        files.write_json(Path("results/published") / f"{name}.json", {})
    compare()
    assert [path.name for path in Path("results/published").iterdir()] == ["basic.json"]


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("folds.csv", "train@leaning"),
        ("history.csv", "train@leaning"),
        ("training.json", "train@leaning"),
        ("metrics.json", "evaluate@leaning"),
        ("predictions.npz", "evaluate@leaning"),
    ],
)
def test_refuses_a_variant_without_finished_results(four, missing, stage):
    path = Path("results/leaning") / missing
    path.unlink()
    with pytest.raises(UserError, match=rf"'leaning' .*`dvc repro {stage}`") as caught:
        compare()
    assert str(path) in str(caught.value)
    assert not Path("results/comparison.csv").exists()


@pytest.mark.parametrize(
    "name", ["folds.csv", "history.csv", "training.json", "metrics.json", "predictions.npz"]
)
@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 cut short", b"\xff\xfe,\x00"])
def test_refuses_a_file_that_is_not_what_the_stages_write(four, name, content):
    (Path("results/leaning") / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"results/leaning/{name} .*`dvc repro`"):
        compare()


def test_refuses_a_table_cut_in_mid_line_and_a_cell_that_is_no_number(four):
    path = Path("results/leaning/folds.csv")
    whole = path.read_text()
    for content in (whole[: whole.rindex(",")], whole.replace(",0.9,", ",nought,")):
        path.write_text(content)
        with pytest.raises(UserError, match=r"results/leaning/folds\.csv"):
            compare()


def test_refuses_predictions_that_do_not_fit_their_labels(four):
    path = Path("results/leaning/predictions.npz")
    with np.load(path) as stored:
        whole = dict(stored)
    np.savez(path, **whole | {"test_label": whole["test_label"] + 1})
    with pytest.raises(UserError, match=r"predictions\.npz .*test_label"):
        compare()
    np.savez(path, **whole | {"oof_label": whole["oof_label"][:-1]})
    with pytest.raises(UserError, match=r"predictions\.npz .*oof_label"):
        compare()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sha256": "cd" * 32}, "cdcdcdcd.*abababab"),
        ({"accuracy": TIED[:4]}, "4 folds.* 5 x 1"),
        ({"accuracy": [*TIED[:4], np.nan]}, "accuracy"),
        ({"images": 9}, "'basic'.*folds"),
        ({"label": 1 - LABEL}, "'basic'.*labels"),
        ({"label": LABEL[:-1]}, "'basic'.*labels"),
    ],
)
def test_refuses_results_of_other_folds_or_data(four, changed, said):
    write_variant("leaning", **changed)
    with pytest.raises(ValueError, match=rf"'leaning'.*{said}.*`dvc repro"):
        compare()


def test_refuses_variants_of_two_precisions(four):
    """`auto` may mean another precision on another machine, with the same params.yaml."""
    path = Path("results/leaning/training.json")
    training = files.read_json(path)
    training["settings"]["train"]["precision"] = "mixed_bfloat16"
    files.write_json(path, training)
    with pytest.raises(UserError, match=r"'leaning'.* mixed_bfloat16.*'basic'.* float32"):
        compare()
    assert not Path("results/comparison.csv").exists()


def test_refuses_an_ensemble_whose_members_have_two_precisions(four):
    path = Path("results/leaning/training.json")
    rows = {kind: {"train": {"precision": kind}} for kind in ("float32", "mixed_bfloat16")}
    files.write_json(path, files.read_json(path) | {"settings": {"ensemble": rows}})
    with pytest.raises(UserError, match=r"'leaning'.* mixed_bfloat16.*'basic'.* float32"):
        compare()
    assert not Path("results/comparison.csv").exists()


def of_environment(name, **changed):
    """Set the environment in a variant's training.json."""
    path = Path("results") / name / "training.json"
    known = {"python": "3.11", "keras": "3.15.1", "kernels": "avx2"} | changed
    files.write_json(path, files.read_json(path) | {"environment": known})


def test_refuses_variants_of_two_environments(four):
    for name in ("worse_one", "basic", "better_one"):
        of_environment(name)
    of_environment("leaning", kernels="avx512f", keras="3.16.0")
    pattern = (
        r"'worse_one', 'basic', 'better_one' .*keras 3\.15\.1, kernels avx2.*"
        r"'leaning' .*keras 3\.16\.0, kernels avx512f.*`make repro`"
    )
    with pytest.raises(UserError, match=pattern):
        compare()
    assert not Path("results/comparison.csv").exists()


def test_refuses_a_variant_of_an_unknown_environment_among_known_ones(four):
    for name in ("worse_one", "basic", "better_one"):
        of_environment(name)
    with pytest.raises(UserError, match=r"'leaning' .*python unknown.*`make repro`"):
        compare()


def test_the_environment_that_all_share_stands_in_the_report(four, no_picture):
    for name in ("worse_one", "basic", "better_one", "leaning"):
        of_environment(name)
    compare()
    page = Path("results/report.html").read_text(encoding="utf-8")
    assert "with python 3.11, keras 3.15.1, kernels avx2, in float32." in page


def test_counts_every_training_that_the_test_set_scored(four, no_picture):
    def said():
        compare()
        report = Path("results/comparison.md").read_text(encoding="utf-8")
        count = re.search("test set was scored by ([0-9]+) training", report)[1]
        assert f"scored by {count} training" in Path("results/report.html").read_text("utf-8")
        return int(count)

    assert said() == 4  # missing uses are added to the ledger
    ledger = Path("results/test_set_uses.csv")
    write_variant("leaning", LEANING, wrong=range(10), test=0.8)
    assert said() == 5
    choose("basic", "better_one")
    assert said() == 5
    other = ledger.read_text() + f"{'34' * 32},basic,{'56' * 32}\n"
    ledger.write_text(other)
    assert said() == 5
    assert ledger.read_text() == other  # sorted, and lines of other test sets stay


def test_a_bug_of_ours_is_not_taken_for_a_damaged_file(four, monkeypatch):
    def broken(*arguments):
        raise KeyError("a bug")

    monkeypatch.setattr("stages.report.results.classification.per_class", broken)
    with pytest.raises(KeyError, match="a bug"):
        compare()


def test_refuses_without_prepared_data(four):
    Path("data/prepared/dataset.json").unlink()
    with pytest.raises(ValueError, match=r"dataset\.json is missing; run `dvc repro prepare`"):
        compare()


def test_command_ends_with_one_sentence_and_imports_no_keras_or_mlflow(four):
    Path("results/leaning/metrics.json").unlink()
    command = (
        "import sys; from stages import __main__, compare;"
        "print({'tensorflow', 'keras', 'mlflow'} & set(sys.modules));"
        "sys.stdout.flush(); __main__.handle(compare.compare)"
    )
    found = subprocess.run(
        [sys.executable, "-c", command],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert found.stdout == "set()\n"
    assert found.returncode == 1
    assert found.stderr.startswith("foldlab: results/leaning/metrics.json is missing")
    assert found.stderr.count("\n") == 1
