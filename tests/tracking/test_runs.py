import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.settings import params
from stages.settings.sections import Tracking
from stages.tracking import marker, note, record, store
from tests.tracking import made_results
from tests.tracking.logged import cut_off, publish, runs_of
from tests.tracking.made_results import (
    BEGAN,
    DATA_SHA256,
    everything,
    fingerprint,
    without_ids,
)


@pytest.mark.slow
def test_a_variant_is_logged_once_and_in_full(repository, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "brave-otter")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    run_id = publish()
    rows = everything(repository)
    found = record.read("basic", params.load())
    (parent,) = runs_of(repository, "parent").values()
    run = parent["run"]
    assert (run["name"], run["status"]) == ("basic", "FINISHED")
    assert (run["start_time"], run["end_time"]) == (BEGAN, BEGAN + 12_000)
    assert parent["params"] == found.params
    curves = {name: value for name, value in parent["latest"].items() if "/" in name}
    assert parent["latest"] == found.metrics | curves
    own = {
        "fingerprint": fingerprint("basic"),
        "data_sha256": DATA_SHA256,
        "variant": "basic",
        "DVC_STAGE": "publish@basic",
        "DVC_EXP_NAME": "brave-otter",
        "git_commit": head,
        "mlflow.source.git.commit": head,
        "mlflow.note.content": "The baseline.",
        "CV accuracy": "90.05 ± 1.00 %",
        "test": "95.00 %",
        "parameters": "225,034",
        "fit time": "4 s",
        "size": "0.0 MB",
        "processor": "portable",
    }
    assert parent["tags"].items() >= own.items()

    folder = repository / "mlartifacts" / run_id / "artifacts"
    artifacts = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert artifacts == {*marker.ATTACHED, *(f"plots/{name}.png" for name in made_results.PLOTS)}
    for name in artifacts:
        assert (folder / name).read_bytes() == Path("results/basic", name).read_bytes()

    (dataset,) = rows["datasets"]
    assert (dataset["name"], dataset["digest"]) == ("mnist-5k", DATA_SHA256[:16])
    schema = json.loads(dataset["dataset_schema"])["mlflow_tensorspec"]
    assert json.loads(schema["features"])[0]["tensor-spec"]["shape"] == [-1, 28, 28, 1]
    assert json.loads(dataset["dataset_profile"])["train"]["images"] == 800_000
    assert [row["value"] for row in rows["input_tags"]] == ["training"]

    (model,) = rows["logged_models"]
    assert (model["source_run_id"], model["name"]) == (run_id, "basic")
    metrics = {row["metric_name"]: row["metric_value"] for row in rows["logged_model_metrics"]}
    assert metrics == found.metrics
    (output,) = (row for row in rows["inputs"] if row["destination_type"] == "MODEL_OUTPUT")
    assert (output["source_id"], output["destination_id"]) == (run_id, model["model_id"])
    (version,) = rows["model_versions"]
    assert (version["name"], version["version"], version["run_id"]) == ("foldlab", 1, run_id)
    tags = {row["key"]: row["value"] for row in rows["model_version_tags"]}
    assert (tags["fingerprint"], tags["variant"]) == (fingerprint("basic"), "basic")
    assert (tags["CV accuracy"], tags["test"]) == ("90.05 ± 1.00 %", "95.00 %")

    children = runs_of(repository, "fold")
    assert set(children) == {"basic fold 0", "basic fold 1"}
    child, fold = children["basic fold 1"], found.folds[1]
    own = {"mlflow.parentRunId": run_id, "foldlab.fold": "1", "DVC_STAGE": "publish@basic"}
    assert child["tags"].items() >= own.items()
    assert child["run"]["status"] == "FINISHED"
    assert (child["run"]["start_time"], child["run"]["end_time"]) == (fold.start, fold.end)
    assert child["params"] == fold.params
    points = {(name, step): (value, time) for name, value, step, time in fold.points}
    assert child["metrics"] == points

    assert publish() == run_id
    assert everything(repository) == rows


@pytest.mark.slow
def test_publishing_cut_off_after_each_write(repository, monkeypatch, empty_store):
    """Each attempt gets one write further; in the end the store is as if undisturbed."""
    publish()
    undisturbed = without_ids(repository)
    shutil.copyfile(empty_store, repository / "mlflow.db")
    shutil.rmtree("mlartifacts")
    cuts = cut_off(monkeypatch, publish, "log_model_artifacts")
    assert len(cuts) > 20
    assert cuts.count("create_run") == 3
    assert without_ids(repository) == undisturbed


@pytest.mark.parametrize("kept", [1, 13])
def test_a_half_logged_fold_is_completed_without_duplicates(repository, kept):
    """A batch may be stored in part, and timing.csv, which gave its times, may be gone."""
    from mlflow.entities import Metric

    from stages.tracking import runs

    found = record.read("basic", params.load())
    with store.opened(Tracking()) as client:
        parent = runs.create_parent(client, found)
        tags = {"mlflow.parentRunId": parent.info.run_id, "foldlab.kind": "fold"}
        tags["foldlab.fold"] = "0"
        run = client.create_run(client.experiment_id, 1, tags, "basic fold 0")
        fold = found.folds[0]
        points = [Metric(name, value, 5, epoch) for name, value, epoch, _ in fold.points[:-4]]
        client.log_batch(run.info.run_id, metrics=points[:kept])
    Path("results/basic/timing.csv").unlink()
    publish()
    child = runs_of(repository, "fold")["basic fold 0"]
    assert child["points"] == 14
    assert len(child["metrics"]) == 14
    assert child["run"]["status"] == "FINISHED"


def test_timing_that_comes_later_adds_only_the_seconds(repository):
    timing = Path("results/basic/timing.csv")
    content = timing.read_text()
    timing.unlink()
    publish()
    before = everything(repository)
    publish()
    assert everything(repository) == before
    folds = runs_of(repository, "fold")
    fold = folds["basic fold 0"]
    start = fold["run"]["start_time"]  # without timing.csv, the epochs follow it
    assert [fold["metrics"]["loss", epoch][1] for epoch in (1, 2)] == [start + 1, start + 2]
    assert fold["run"]["end_time"] == start
    timing.write_text(content)
    publish()
    assert runs_of(repository, "fold") == folds
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


def test_a_new_description_of_the_row_is_followed_unless_somebody_wrote_another(repository):
    def published(text):
        """Publish with this description; return those of the run and of its model's version."""
        path = Path("results/basic/training.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"description": text}))
        run_id = publish()
        before = everything(repository)
        assert publish() == run_id
        assert everything(repository) == before
        with store.opened(Tracking()) as client:
            (version,) = client.search_model_versions(f"run_id = '{run_id}'")
            return client.get_run(run_id).data.tags[note.NOTE], version.description

    longest = "x" * note.LENGTH  # a registry in PostgreSQL refuses a longer one
    assert published(longest + "y") == (longest, longest)
    assert published("First.") == ("First.", "First.")
    verdict = "baseline ([comparison](#/experiments/1/runs/2))"
    run_id = publish()
    with store.opened(Tracking()) as client:
        client.set_tag(run_id, note.VERDICT, "baseline")
        client.set_tag(run_id, note.NOTE, f"{verdict}\n\nFirst.")
    assert published("Second.") == (f"{verdict}\n\nSecond.", "Second.")
    with store.opened(Tracking()) as client:
        client.set_tag(run_id, note.NOTE, f"{verdict}\n\nMine.")
        client.update_model_version("foldlab", "1", "Ours.")
    assert published("Third.") == (f"{verdict}\n\nMine.", "Ours.")


def test_a_training_with_other_results_gets_its_own_run(repository):
    first = publish()
    made_results.make_results(repository / "results" / "basic", "basic", 2, 2, better=0.05)
    second = publish()
    once = everything(repository)
    assert first != second
    (parent,) = runs_of(repository, "parent").values()
    assert parent["latest"]["cv_accuracy_mean"] == pytest.approx(0.9505)
    assert len(runs_of(repository, "fold")) == 2
    assert len(once["model_versions"]) == 2  # a version is one file, which may be in service
    publish()
    assert everything(repository) == once


def test_second_runs_of_the_same_training_are_deleted(repository):
    """Two machines may create a parent at once; a server may create a run after a time-out."""
    first = publish()
    with store.opened(Tracking()) as client:
        for run in client.search_runs([client.experiment_id]):
            second = client.create_run(client.experiment_id, BEGAN + 20_000, run.data.tags)
            client.set_terminated(second.info.run_id)
    assert publish() == first
    stages = [run["lifecycle_stage"] for run in everything(repository)["runs"]]
    assert (stages.count("active"), stages.count("deleted")) == (3, 3)


def test_lost_artifacts_are_put_back(repository):
    run_id = publish()
    before = without_ids(repository)["artifacts"]
    (repository / "mlartifacts" / run_id / "artifacts" / "plots" / "curves.png").unlink()
    shutil.rmtree(repository / "mlartifacts" / "models")
    publish()
    assert without_ids(repository)["artifacts"] == before


@pytest.mark.parametrize("value", ["NaN", "-Infinity"])
def test_numbers_that_are_not_finite_are_logged_once(repository, value):
    metrics = Path("results/basic/metrics.json")
    metrics.write_text(metrics.read_text().replace("0.95", value))
    history = Path("results/basic/history.csv")
    history.write_text(history.read_text().replace("0.51", value.lower()))
    publish()
    before = everything(repository)
    publish()
    assert everything(repository) == before
    (parent,) = runs_of(repository, "parent").values()
    expected = 0 if value == "NaN" else -sys.float_info.max
    assert parent["latest"]["test_accuracy"] == expected


def test_more_than_one_batch(repository):
    made_results.make_repository(repository, "basic", folds=2, epochs=400)
    publish()
    children = runs_of(repository, "fold").values()
    assert [child["points"] for child in children] == [2004, 2004]


def test_an_older_unpublished_training_ends_when_the_newer_is_published(repository):
    """As after an upgrade, which makes another fingerprint of the same row."""
    from stages.tracking import runs

    found = record.read("basic", params.load())
    older = marker.Identity(fingerprint("older"), None)
    with store.opened(Tracking()) as client:
        before = dataclasses.replace(found, identity=older, start=BEGAN - 1000)
        run = runs.create_parent(client, before)
        client.update_run(run.info.run_id, "SCHEDULED")
        runs.publish(client, found)
        assert client.get_run(run.info.run_id).info.status == "KILLED"
    before = everything(repository)
    publish()
    assert everything(repository) == before
