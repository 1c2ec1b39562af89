import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.settings import params
from stages.tracking import record, store
from tests.tracking.made_results import (
    BEGAN,
    DATA_SHA256,
    PLOTS,
    everything,
    fingerprint,
    make_repository,
    make_results,
    without_ids,
)

CODE = Path(store.__file__).parents[2]


def publish(variant="basic"):
    """Publish as the stage does, but let every error through."""
    from stages.tracking import runs

    with store.opened("foldlab") as (client, experiment_id):
        return runs.publish(client, experiment_id, record.read(variant, params.load()), "foldlab")


def runs_of(repository, kind):
    """Return {run name: its rows} of the active runs of a kind, straight from the database."""
    rows = everything(repository)
    found = {}
    for run in rows["runs"]:
        own = {
            table: [row for row in rows[table] if row.get("run_uuid") == run["run_uuid"]]
            for table in ("params", "tags", "metrics", "latest_metrics")
        }
        tags = {row["key"]: row["value"] for row in own["tags"]}
        if tags["foldlab.kind"] == kind and run["lifecycle_stage"] == "active":
            found[run["name"]] = {
                "run": run,
                "tags": tags,
                "params": {row["key"]: row["value"] for row in own["params"]},
                "latest": {row["key"]: row["value"] for row in own["latest_metrics"]},
                "metrics": {
                    (row["key"], row["step"]): (row["value"], row["timestamp"])
                    for row in own["metrics"]
                },
                "points": len(own["metrics"]),
            }
    return found


def test_the_parent_shows_the_variant(repository, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "brave-otter")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    publish()
    (parent,) = runs_of(repository, "parent").values()
    assert parent["run"]["name"] == "basic"
    assert parent["run"]["status"] == "FINISHED"
    assert (parent["run"]["start_time"], parent["run"]["end_time"]) == (BEGAN, BEGAN + 12_000)
    assert parent["params"] == {
        "architecture.name": "basic",
        "architecture.arguments.filters": "32",
        "augmentation": '[{"name": "rotate", "arguments": {"degrees": 10}}]',
        "train.epochs": "2",
        "train.learning_rate": "0.001",
        "train.early_stopping": "null",
        "data.source": "mnist-5k",
        "data.classes": "2",
        "data.image_shape": "28x28x1",
        "data.train_images": "80",
        "data.test_images": "20",
        "folds.count": "2",
        "folds.repeats": "1",
    }
    assert parent["latest"] == {
        "cv_accuracy_mean": pytest.approx(0.9005),
        "cv_accuracy_std": 0.01,
        "cv_accuracy_n": 2,
        "cv_loss_mean": 0.25,
        "cv_loss_std": 0.02,
        "cv_loss_n": 2,
        "test_accuracy": 0.95,
        "test_loss": 0.2,
        "test_macro_f1": 0.94,
        "parameters": 225034,
        "fit_seconds": 4.0,
    }
    tags = parent["tags"]
    assert tags["fingerprint"] == fingerprint("basic")
    assert tags["data_sha256"] == DATA_SHA256
    assert tags["variant"] == "basic"
    assert tags["DVC_STAGE"] == "publish@basic"
    assert tags["DVC_EXP_NAME"] == "brave-otter"
    assert tags["git_commit"] == tags["mlflow.source.git.commit"] == head
    assert tags["mlflow.note.content"] == "The baseline."


def test_the_parent_has_the_files(repository):
    run_id = publish()
    folder = repository / "mlartifacts" / run_id / "artifacts"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*record.ATTACHED, *(f"plots/{name}.png" for name in PLOTS)}
    for name in found:
        assert (folder / name).read_bytes() == Path("results/basic", name).read_bytes()


def test_the_data_is_an_input(repository):
    publish()
    rows = everything(repository)
    (dataset,) = rows["datasets"]
    assert dataset["name"] == "mnist-5k"
    assert dataset["digest"] == DATA_SHA256[:16]
    schema = json.loads(dataset["dataset_schema"])["mlflow_tensorspec"]
    assert json.loads(schema["features"])[0]["tensor-spec"]["shape"] == [-1, 28, 28, 1]
    assert json.loads(dataset["dataset_profile"])["train"]["images"] == 80
    assert [row["value"] for row in rows["input_tags"]] == ["training"]


def test_the_data_card_goes_along_and_a_long_list_of_files_is_cut(repository):
    path = Path("data/prepared/dataset.json")
    more = {"imbalance": {"ratio": 3.0}, "unreadable": {f"{n}.png": "is empty" for n in range(999)}}
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    publish()
    (dataset,) = everything(repository)["datasets"]
    profile = json.loads(dataset["dataset_profile"])
    assert profile["imbalance"] == {"ratio": 3.0}
    assert list(profile["unreadable"]) == [f"{n}.png" for n in range(100)]


def test_a_run_below_the_parent_shows_a_fold(repository):
    run_id = publish()
    children = runs_of(repository, "fold")
    assert set(children) == {"basic fold 0", "basic fold 1"}
    child = children["basic fold 1"]
    assert child["tags"]["mlflow.parentRunId"] == run_id
    assert child["tags"]["foldlab.fold"] == "1"
    assert child["tags"]["DVC_STAGE"] == "publish@basic"
    assert child["run"]["status"] == "FINISHED"
    assert (child["run"]["start_time"], child["run"]["end_time"]) == (
        BEGAN + 10_000,
        BEGAN + 12_000,
    )
    assert child["params"] == {
        "fold": "1",
        "repeat": "0",
        "train_images": "40",
        "val_images": "40",
    }
    assert child["metrics"] == {
        ("loss", 1): (1.0, BEGAN + 11_000),
        ("loss", 2): (0.5, BEGAN + 12_000),
        ("accuracy", 1): (0.51, BEGAN + 11_000),
        ("accuracy", 2): (0.52, BEGAN + 12_000),
        ("val_loss", 1): (2.0, BEGAN + 11_000),
        ("val_loss", 2): (1.0, BEGAN + 12_000),
        ("val_accuracy", 1): (0.901, BEGAN + 11_000),
        ("val_accuracy", 2): (0.901, BEGAN + 12_000),
        ("learning_rate", 1): (0.001, BEGAN + 11_000),
        ("learning_rate", 2): (0.001, BEGAN + 12_000),
        ("cv_accuracy", 0): (0.901, BEGAN + 12_000),
        ("cv_loss", 0): (0.25, BEGAN + 12_000),
        ("best_epoch", 0): (2.0, BEGAN + 12_000),
        ("epochs", 0): (2.0, BEGAN + 12_000),
    }


def test_the_model_belongs_to_run_and_registry(repository):
    run_id = publish()
    rows = everything(repository)
    (model,) = rows["logged_models"]
    assert (model["source_run_id"], model["name"]) == (run_id, "basic")
    scores = {row["metric_name"]: row["metric_value"] for row in rows["logged_model_metrics"]}
    assert scores["test_accuracy"] == 0.95
    assert [
        (row["source_id"], row["destination_id"])
        for row in rows["inputs"]
        if row["destination_type"] == "MODEL_OUTPUT"
    ] == [(run_id, model["model_id"])]
    (version,) = rows["model_versions"]
    assert (version["name"], version["version"], version["run_id"]) == ("foldlab", 1, run_id)
    tags = {row["key"]: row["value"] for row in rows["model_version_tags"]}
    assert (tags["fingerprint"], tags["variant"]) == (fingerprint("basic"), "basic")


def test_twice_changes_nothing(repository):
    publish()
    before = everything(repository)
    publish()
    assert everything(repository) == before


def test_an_emptied_store_is_rebuilt(repository, empty_store):
    publish()
    before = without_ids(repository)
    shutil.copyfile(empty_store, "mlflow.db")
    shutil.rmtree("mlartifacts")
    publish()
    assert without_ids(repository) == before


class CutError(BaseException):
    """Stands for the kill of the process."""


class CutClient(store.Client):
    """A client that is cut off after its n-th call that writes."""

    reading = ("get_", "search_", "list_")
    writes = 1

    def __getattr__(self, name):
        method = super().__getattr__(name)
        if name.startswith(self.reading):
            return method

        def call(*arguments, **named):
            result = method(*arguments, **named)
            self.writes -= 1
            if not self.writes:
                raise CutError(name)
            return result

        return call


def test_publishing_cut_off_after_each_write(repository, monkeypatch, empty_store):
    """Each attempt gets one write further; in the end the store is as if undisturbed."""
    publish()
    undisturbed = without_ids(repository)
    shutil.copyfile(empty_store, "mlflow.db")
    shutil.rmtree("mlartifacts")

    cuts = []
    with monkeypatch.context() as patch:
        patch.setattr(store, "Client", CutClient)
        for _ in range(60):
            # an upload that is not confirmed is made again, so it gets its confirmation too
            unconfirmed = cuts[-1:] == ["log_model_artifacts"]
            patch.setattr(CutClient, "writes", 2 if unconfirmed else 1)
            try:
                publish()
                break
            except CutError as cut:
                cuts.append(str(cut))
    assert len(cuts) > 20
    assert cuts.count("create_run") == 3
    assert without_ids(repository) == undisturbed


@pytest.mark.parametrize("kept", [1, 7, 13])
def test_a_half_logged_fold_is_completed_without_doubles(repository, kept):
    """A batch may be stored in part, and timing.csv, which gave its times, may be gone."""
    from mlflow.entities import Metric

    from stages.tracking import runs

    found = record.read("basic", params.load())
    with store.opened("foldlab") as (client, experiment_id):
        parent = runs.parent(client, experiment_id, found)
        tags = {"mlflow.parentRunId": parent.info.run_id, "foldlab.kind": "fold"}
        run = client.create_run(experiment_id, 1, {**tags, "foldlab.fold": "0"}, "basic fold 0")
        fold = found.folds[0]
        points = [Metric(key, value, 5, epoch) for key, value, epoch in fold.steps]
        client.log_batch(run.info.run_id, metrics=points[:kept])
    Path("results/basic/timing.csv").unlink()
    publish()
    child = runs_of(repository, "fold")["basic fold 0"]
    assert child["points"] == 14
    assert len(child["metrics"]) == 14
    assert child["run"]["status"] == "FINISHED"


def test_a_killed_process_is_caught_up(repository, empty_store):
    publish()
    undisturbed = without_ids(repository)
    shutil.copyfile(empty_store, "mlflow.db")
    shutil.rmtree("mlartifacts")
    command = [sys.executable, "-m", "stages", "publish", "basic"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(CODE)})
    while not list(repository.glob("mlartifacts/*/artifacts/plots")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -9
    assert not Path("results/published/basic.json").exists()
    publish()
    assert without_ids(repository) == undisturbed


def test_without_timing_the_epochs_follow_the_runs_start(repository):
    Path("results/basic/timing.csv").unlink()
    publish()
    before = everything(repository)
    publish()
    assert everything(repository) == before
    child = runs_of(repository, "fold")["basic fold 0"]
    start = child["run"]["start_time"]
    assert [child["metrics"]["loss", epoch][1] for epoch in (1, 2)] == [start + 1, start + 2]
    assert child["run"]["end_time"] == start


def test_timing_that_comes_later_adds_only_the_seconds(repository):
    timing = Path("results/basic/timing.csv")
    content = timing.read_text()
    timing.unlink()
    publish()
    before = runs_of(repository, "fold")
    timing.write_text(content)
    publish()
    assert runs_of(repository, "fold") == before
    (parent,) = runs_of(repository, "parent").values()
    assert parent["latest"]["fit_seconds"] == 4.0


def test_what_a_new_evaluation_changes_is_followed(repository):
    publish()
    children = runs_of(repository, "fold")
    path = Path("results/basic/metrics.json")
    path.write_text(path.read_text().replace("0.95", "0.96").replace("}}", '}, "new": 1}'))
    Path("results/basic/mistakes.csv").write_text("other mistakes")
    run_id = publish()
    once = everything(repository)
    (parent,) = runs_of(repository, "parent").values()
    assert parent["latest"]["test_accuracy"] == 0.96
    assert runs_of(repository, "fold") == children
    stored = repository / "mlartifacts" / run_id / "artifacts" / "mistakes.csv"
    assert stored.read_text() == "other mistakes"
    assert len(once["model_versions"]) == 1
    publish()
    assert everything(repository) == once


def test_a_training_with_other_bits_replaces_its_run(repository):
    first = publish()
    make_results(repository / "results" / "basic", "basic", 2, 2, better=0.05)
    second = publish()
    once = everything(repository)
    assert first != second
    (parent,) = runs_of(repository, "parent").values()
    assert parent["latest"]["cv_accuracy_mean"] == pytest.approx(0.9505)
    assert len(runs_of(repository, "fold")) == 2
    assert len(once["model_versions"]) == 2  # a version is one file, which may be in service
    publish()
    assert everything(repository) == once


def test_a_second_parent_of_the_same_training_goes_to_the_bin(repository):
    """Two machines that publish to one server at once may both create a parent."""
    first = publish()
    with store.opened("foldlab") as (client, experiment_id):
        tags = client.get_run(first).data.tags
        client.create_run(experiment_id, BEGAN + 1, tags, "basic")
    assert publish() == first
    assert len(runs_of(repository, "parent")) == 1


def test_lost_artifacts_are_put_back(repository):
    run_id = publish()
    before = without_ids(repository)["artifacts"]
    (repository / "mlartifacts" / run_id / "artifacts" / "plots" / "curves.png").unlink()
    shutil.rmtree(repository / "mlartifacts" / "models")
    publish()
    assert without_ids(repository)["artifacts"] == before


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_logged_once(repository, value):
    metrics = Path("results/basic/metrics.json")
    metrics.write_text(metrics.read_text().replace("0.95", value))
    history = Path("results/basic/history.csv")
    history.write_text(history.read_text().replace("0.51", value.lower()))
    publish()
    before = everything(repository)
    publish()
    assert everything(repository) == before
    (parent,) = runs_of(repository, "parent").values()
    assert parent["latest"]["test_accuracy"] == (
        0 if value == "NaN" else math.copysign(sys.float_info.max, float(value))
    )


def test_more_than_one_batch(tmp_path, repository):
    make_repository(repository, "basic", folds=2, epochs=400)
    publish()
    children = runs_of(repository, "fold").values()
    assert [child["points"] for child in children] == [2004, 2004]


def test_variants_have_their_own_runs(repository):
    make_repository(repository, "basic", "other")
    assert publish("basic") != publish("other")
    assert set(runs_of(repository, "parent")) == {"basic", "other"}
    assert len(everything(repository)["model_versions"]) == 2
    assert len(everything(repository)["datasets"]) == 1


def test_a_training_that_was_overtaken_ends_when_the_newer_is_published(repository):
    """As after an upgrade, which makes another fingerprint of the same row."""
    from stages.tracking import runs

    older = dataclasses.replace(record.read("basic", params.load()), results_sha256=None)
    older = dataclasses.replace(older, fingerprint=fingerprint("older"), start=BEGAN - 1000)
    with store.opened("foldlab") as (client, experiment_id):
        run = runs.create_parent(client, experiment_id, older)
        client.update_run(run.info.run_id, "SCHEDULED")
        found = record.read("basic", params.load())
        runs.publish(client, experiment_id, found, "foldlab")
        assert client.get_run(run.info.run_id).info.status == "KILLED"
    before = everything(repository)
    publish()
    assert everything(repository) == before
