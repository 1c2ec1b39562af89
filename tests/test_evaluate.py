"""The stage `evaluate`, on one trained variant."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.errors import UserError
from stages.evaluate import evaluate
from stages.files import read_json, read_table, sha256
from stages.statistics import two_classes
from stages.statistics.metrics import METRICS
from tests import prepared

pytestmark = pytest.mark.slow
RESULTS = Path("results/plain")


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    return shutil.copytree(trained, tmp_path_factory.mktemp("evaluate") / "folder")


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.fixture
def predictions():
    with np.load(RESULTS / "predictions.npz") as stored:
        return dict(stored)


def test_the_probabilities_are_the_model_file_s_own(predictions):
    import keras

    model = keras.saving.load_model(RESULTS / "model.keras")
    expected = model.predict(np.load("data/prepared/test_images.npy"), verbose=0)
    np.testing.assert_allclose(predictions["test_probability"], expected, atol=1e-5)
    assert predictions["test_label"].tolist() == [0, 1, 2] * 5
    assert predictions["oof_probability"].shape == (60, 3)


def test_metrics_are_those_of_the_files(predictions):
    metrics = read_json(RESULTS / "metrics.json")
    accuracies = [row["accuracy"] for row in read_table(RESULTS / "folds.csv")]
    assert metrics["cv"]["accuracy"] == {
        "mean": pytest.approx(np.mean(accuracies)),
        "std": pytest.approx(np.std(accuracies, ddof=1)),
        "n": 2,
    }
    right = predictions["test_probability"].argmax(1) == predictions["test_label"]
    assert metrics["test"]["accuracy"] == right.mean()
    assert metrics["test"]["n"] == 15
    assert {"loss", "macro_f1", "expected_calibration_error"} <= set(metrics["test"])
    assert metrics["test"]["members_accuracy"]["n"] == 2
    assert metrics["parameters"] == 19363  # 320 + 18,496 + 520 + 27
    assert set(metrics["cv"]) == {*METRICS, "loss"} - {"log_loss"}
    assert "roc_auc" not in metrics["test"]
    assert read_table(RESULTS / "thresholds.csv", two_classes.COLUMNS) == []


def test_tables_carry_class_names_and_agree_with_each_other():
    confusion = read_table(RESULTS / "confusion.csv")
    assert list(confusion[0]) == ["actual", "predicted"]
    assert [row["actual"] for row in confusion] == list(prepared.CLASSES) * 5
    wrong = [number for number, row in enumerate(confusion) if row["actual"] != row["predicted"]]
    mistakes = read_table(RESULTS / "mistakes.csv")
    assert sorted(row["index"] for row in mistakes) == wrong
    confidences = [row["confidence"] for row in mistakes]
    assert confidences == sorted(confidences, reverse=True)
    per_class = read_table(RESULTS / "per_class.csv")
    supports = [(row["class"], row["support"]) for row in per_class]
    assert supports == [(name, 5) for name in prepared.CLASSES]


def test_evaluating_again_gives_the_same_bytes_without_scoring(monkeypatch):
    before = {path: path.read_bytes() for path in RESULTS.iterdir()}
    monkeypatch.setattr("stages.engine.predict.scorer", None)
    evaluate("plain")
    assert {path: path.read_bytes() for path in RESULTS.iterdir()} == before


def test_a_scoring_is_noted_once_per_model_and_test_set(copy, predictions):
    def uses():
        ledger = read_table(Path("results/test_set_uses.csv"))
        return [row for row in ledger if row["variant"] == "plain"]

    model = sha256(RESULTS / "model.keras")
    use = {"variant": "plain", "model_sha256": model, "test_sha256": predictions["test_sha256"]}
    assert predictions["model_sha256"] == model
    assert uses() == [use]
    evaluate("plain")
    assert uses() == [use]
    labels = Path("data/prepared/test_labels.npy")
    np.save(labels, np.load(labels)[::-1])
    evaluate("plain")
    rows = uses()
    assert [row["model_sha256"] for row in rows] == [model] * 2
    assert len({row["test_sha256"] for row in rows}) == 2


@pytest.mark.parametrize("name", ["out_of_fold.npz", "folds.csv", "training.json", "model.keras"])
def test_a_file_of_training_that_is_damaged_or_missing_is_named_with_its_stage(copy, name):
    path = RESULTS / name
    if name != "model.keras":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UserError, match=f"{path} .*`dvc repro`"):
            evaluate("plain")
    path.unlink()
    with pytest.raises(UserError, match=f"{path} .*`dvc repro train@plain`"):
        evaluate("plain")
