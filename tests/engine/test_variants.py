import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from stages.commands import sweep as sweeping
from stages.commands.sweep import sweep
from stages.engine import final_model, fold_store, fold_tasks, predict, variants
from stages.errors import UserError
from stages.evaluate import evaluate
from stages.files import read_json, read_table
from stages.train import train
from stages.training import combine
from stages.training.export import average, scorer
from tests import prepared
from tests.prepared import contents, edit

pytestmark = pytest.mark.slow
RESULTS = Path("results")


def write(folder, **given):
    """Write small data, and settings with an ensemble of two variants."""
    prepared.write(folder, **given)
    both = {"ensemble": ["plain", "normed"], "description": "Both."}
    rows = {"both": both, "plain": {"train": {"final": "best_fold"}}}
    edit(folder, {"variants": rows, "compare": {"variants": ["plain", "normed", "both"]}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A repository in which the ensemble was trained before its members."""
    folder = tmp_path_factory.mktemp("ensemble")
    with chdir(folder):
        write(folder, epochs=1)
        for variant in ("both", "plain", "normed"):
            train(variant)
            evaluate(variant)
    return folder


@pytest.fixture(autouse=True)
def _inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def out_of_fold(variant):
    with np.load(RESULTS / variant / "out_of_fold.npz") as stored:
        return stored["oof_probability"]


def test_a_single_network_is_scaled_by_a_temperature_and_a_mean_is_not():
    for variant in ("plain", "normed", "both"):
        trained, metrics = (
            read_json(RESULTS / variant / name) for name in ("training.json", "metrics.json")
        )
        scaling, is_single = metrics["temperature"], variant == "plain"
        assert scaling["in_model"] == is_single
        assert (trained["temperature"] != 1) == is_single
        shipped = "test_loss_with" if is_single else "test_loss_without"
        assert scaling[shipped] == metrics["test"]["loss"]
        if is_single:
            assert scaling["fitted"] == trained["temperature"]


def test_model_and_out_of_fold_scores_are_the_means_of_the_members():
    images = np.load("data/prepared/test_images.npy")
    vote, each = scorer(RESULTS / "both/model.keras", "portable")(images)
    assert each.shape == (2, 15, 3)
    members = [
        scorer(RESULTS / name / "model.keras", "portable")(images)[0]
        for name in ("plain", "normed")
    ]
    np.testing.assert_allclose(each, members, atol=1e-6)
    np.testing.assert_allclose(vote, np.mean(members, axis=0), atol=1e-6)
    assert out_of_fold("both").shape == (1, 60, 3)
    mean = np.mean([out_of_fold(name) for name in ("plain", "normed")], axis=0)
    np.testing.assert_allclose(out_of_fold("both"), mean, atol=1e-6)


def test_folds_are_scored_on_images_that_no_member_was_trained_on():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 12)
    folds = np.array([random.permutation(12) % 4 for _ in range(3)], "int16")
    scores = random.dirichlet([1] * 3, (2, 3, 12)).astype("f4")
    records = combine.averaged(list(scores), folds, labels)
    assert len(records) == 4 * 3
    joined = combine.out_of_fold(records, folds, 3)
    np.testing.assert_allclose(joined, scores.mean(0), atol=1e-7)
    for number, record in enumerate(records):
        repeat, fold = divmod(number, 4)
        own = folds[repeat] == fold
        np.testing.assert_array_equal(record.validation, np.flatnonzero(own))
        scored, truth = scores.mean(0)[repeat][own], labels[own]
        assert record.at_best_epoch("val_accuracy") == (scored.argmax(1) == truth).mean()
        assert record.at_best_epoch("val_loss") == pytest.approx(
            -np.log(scored[range(3), truth]).mean()
        )
        assert (record.train_images, len(record.times)) == (9, 0)


def test_the_tables_have_no_epochs():
    folds = read_table(RESULTS / "both/folds.csv")
    assert {(row["best_epoch"], row["epochs"]) for row in folds} == {(0, 0)}
    history = read_table(RESULTS / "both/history.csv")
    assert [(row["fold"], row["epoch"]) for row in history] == [(0, 0), (1, 0)]
    assert {row[key] for row in history for key in ("loss", "accuracy", "learning_rate")} == {""}
    assert [row["val_accuracy"] for row in history] == [row["accuracy"] for row in folds]
    assert read_table(RESULTS / "both/timing.csv") == []


def test_training_json_names_the_members():
    names = ("plain", "normed")
    training = read_json(RESULTS / "both/training.json")
    members = {name: read_json(RESULTS / name / "training.json") for name in names}
    assert (training["final"], training["description"]) == ("ensemble", "Both.")
    assert training["parameters"] == sum(member["parameters"] for member in members.values())
    assert training["members"] == {name: members[name]["fingerprint"] for name in names}
    assert training["settings"]["ensemble"]["normed"] == members["normed"]["settings"]
    scores = read_json(RESULTS / "both/metrics.json")["test"]["members_accuracy"]
    singles = [read_json(RESULTS / name / "metrics.json")["test"]["accuracy"] for name in names]
    assert (scores["n"], scores["mean"]) == (2, pytest.approx(np.mean(singles)))


@pytest.mark.parametrize("source", ["results", "folds"])
def test_results_or_stored_folds_give_the_same_bytes_without_training(
    folder, copy, monkeypatch, source
):
    first = contents(folder / "results/both")
    if source == "results":
        shutil.rmtree(".foldlab")
    else:
        shutil.rmtree("results")
        for model in Path(".foldlab").rglob("model.keras"):
            model.unlink()
    monkeypatch.setattr(fold_tasks, "train_fold", None)  # calling it would fail
    train("both")
    evaluate("both")
    assert contents(Path("results/both")) == first


def test_only_an_edited_member_is_trained_again(copy, monkeypatch):
    edit(Path(), {"variants": {"normed": {"architecture": {"batchnorm": {"dense": 9}}}}})
    trained = []
    original = fold_tasks.train_fold
    monkeypatch.setattr(
        fold_tasks, "train_fold", lambda *task: trained.append(task[4].variant) or original(*task)
    )
    before = read_json(RESULTS / "both/training.json")
    train("both")
    after = read_json(RESULTS / "both/training.json")
    assert set(trained) == {"normed"}
    assert before["fingerprint"] != after["fingerprint"]
    assert before["members"]["plain"] == after["members"]["plain"]


def test_results_of_a_member_may_disappear_while_another_trains(folder, copy, monkeypatch):
    shutil.rmtree(".foldlab")
    shutil.rmtree("results/normed")
    original = fold_tasks.run_folds

    def run_without_results(*given):
        shutil.rmtree("results/plain", ignore_errors=True)
        original(*given)

    monkeypatch.setattr(fold_tasks, "run_folds", run_without_results)
    train("both")
    evaluate("both")
    assert contents(Path("results/both")) == contents(folder / "results/both")


def test_after_a_sweep_nothing_is_left_to_compute(folder, tmp_path, monkeypatch):
    undisturbed = {name: contents(folder / "results" / name) for name in ("plain", "both")}
    write(tmp_path, epochs=1)
    edit(tmp_path, {"compare": {"variants": ["plain", "both"]}})  # members need not be
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / ".foldlab", ".foldlab")
    shutil.rmtree(".foldlab/scores")
    for model in Path(".foldlab").rglob("model.keras"):
        model.unlink()
    fingerprint = read_json(folder / "results/normed/training.json")["fingerprint"]
    (fold_store.folder(fingerprint) / "fold-1.npz").unlink()
    sweep()
    for part in (fold_tasks, "train_fold"), (final_model, "assemble"), (variants, "average"):
        monkeypatch.setattr(*part, None)  # calling it would fail
    monkeypatch.setattr(predict, "scorer", None)
    for variant, files in undisturbed.items():
        train(variant)
        evaluate(variant)
        assert contents(Path("results") / variant) == files
    monkeypatch.setattr(sweeping, "score", None)
    sweep()


@pytest.mark.parametrize(("shape", "classes"), [((12, 12, 1), 4), ((10, 12, 1), 3)])
def test_members_of_other_images_or_classes_are_rejected(folder, shape, classes):
    models = {"plain": (RESULTS / "plain/model.keras").read_bytes()}
    with pytest.raises(UserError, match=r"^variants\.both\.ensemble .*'plain'"):
        average("both", shape, classes, models, "portable")
