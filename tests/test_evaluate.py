import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.errors import UserError
from stages.evaluate import evaluate
from stages.files import read_json, read_table
from stages.train import train
from tests import prepared


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        prepared.write(folder, epochs=4, learning_rate=0.01)
        train("plain")
        evaluate("plain")
    return folder / "results" / "plain"


@pytest.fixture(scope="module")
def predictions(results):
    with np.load(results / "predictions.npz") as stored:
        return dict(stored)


def test_the_probabilities_are_the_model_file_s_own(results, predictions):
    import keras

    model = keras.saving.load_model(results / "model.keras")
    images = np.load(results.parents[1] / "data/prepared/test_images.npy")
    np.testing.assert_allclose(
        predictions["test_probability"], model.predict(images, verbose=0), atol=1e-5
    )
    assert predictions["test_label"].tolist() == [0, 1, 2] * 5
    assert predictions["oof_probability"].shape == (60, 3)


def test_metrics_are_those_of_the_files(results, predictions):
    metrics = read_json(results / "metrics.json")
    accuracies = [row["accuracy"] for row in read_table(results / "folds.csv")]
    assert metrics["cv"]["accuracy"] == {
        "mean": pytest.approx(np.mean(accuracies)),
        "std": pytest.approx(np.std(accuracies, ddof=1)),
        "n": 2,
    }
    hits = predictions["test_probability"].argmax(1) == predictions["test_label"]
    assert metrics["test"]["accuracy"] == hits.mean()
    assert metrics["test"]["n"] == 15
    assert {"loss", "macro_f1", "expected_calibration_error"} <= set(metrics["test"])
    assert metrics["test"]["members_accuracy"]["n"] == 2
    assert metrics["parameters"] == 19363  # 320 + 18,496 + 520 + 27
    assert set(metrics["cv"]) == {"accuracy", "loss"}


def test_tables_carry_class_names_and_agree_with_each_other(results, predictions):
    confusion = read_table(results / "confusion.csv")
    assert list(confusion[0]) == ["actual", "predicted"]
    assert [row["actual"] for row in confusion] == list(prepared.CLASSES) * 5
    wrong = [number for number, row in enumerate(confusion) if row["actual"] != row["predicted"]]
    mistakes = read_table(results / "mistakes.csv")
    assert sorted(row["index"] for row in mistakes) == wrong
    confidences = [row["confidence"] for row in mistakes]
    assert confidences == sorted(confidences, reverse=True)
    per_class = read_table(results / "per_class.csv")
    assert [(row["class"], row["support"]) for row in per_class] == [
        (name, 5) for name in prepared.CLASSES
    ]


def test_evaluating_again_gives_the_same_bytes_without_scoring(results, monkeypatch):
    from stages.engine import predict

    before = {path.name: path.read_bytes() for path in results.iterdir()}
    monkeypatch.chdir(results.parents[1])
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(predict, "probabilities", None)
    evaluate("plain")
    assert {path.name: path.read_bytes() for path in results.iterdir()} == before


def test_a_scoring_is_noted_once_a_model_and_test_set(results, predictions, monkeypatch):
    monkeypatch.chdir(results.parents[1])
    monkeypatch.delenv("DVC_ROOT", raising=False)
    ledger = results.parent / "test_set_uses.csv"
    model = hashlib.sha256((results / "model.keras").read_bytes()).hexdigest()
    (row,) = read_table(ledger)
    assert (row["variant"], row["model_sha256"]) == ("plain", model)
    assert predictions["model_sha256"] == model
    assert predictions["test_sha256"] == row["test_sha256"]
    evaluate("plain")
    assert read_table(ledger) == [row]
    labels = results.parents[1] / "data/prepared/test_labels.npy"
    before = labels.read_bytes()
    np.save(labels, np.load(labels)[::-1])
    evaluate("plain")
    labels.write_bytes(before)
    rows = read_table(ledger)
    assert [one["model_sha256"] for one in rows] == [model] * 2
    assert len({one["test_sha256"] for one in rows}) == 2
    evaluate("plain")  # other tests need the results of the true labels


@pytest.mark.parametrize("name", ["out_of_fold.npz", "folds.csv", "training.json"])
def test_a_damaged_file_of_training_is_one_sentence(results, name, monkeypatch):
    monkeypatch.chdir(results.parents[1])
    monkeypatch.delenv("DVC_ROOT", raising=False)
    before = (results / name).read_bytes()
    (results / name).write_bytes(before[: len(before) // 2])
    try:
        with pytest.raises(UserError, match=f"results/plain/{name} .*`dvc repro`"):
            evaluate("plain")
    finally:
        (results / name).write_bytes(before)


@pytest.mark.parametrize("name", ["model.keras", "out_of_fold.npz", "folds.csv", "training.json"])
def test_what_train_has_not_written_is_named_with_its_stage(results, monkeypatch, tmp_path, name):
    shutil.copytree(results.parents[1], tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    Path("results/plain", name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing; run `dvc repro train@plain`"):
        evaluate("plain")
