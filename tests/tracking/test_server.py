"""Against a real `mlflow server`, as a team has one."""

import os
import signal

import pytest

from stages import publish as stage
from stages.tracking import store
from tests.tracking.made_results import PLOTS, make_repository


@pytest.fixture
def team(server, repository, monkeypatch):
    """Return the server, with the repository as the working folder and a password in the URI."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri.replace("//", "//me:hunter2@"))
    monkeypatch.setattr(stage, "QUICK", 0)
    return server


def state():
    """Return what the server tells about our runs, models and versions."""
    with store.opened("foldlab") as (client, experiment_id):
        runs = client.search_runs([experiment_id])
        models = client.search_logged_models([experiment_id])
        versions = client.search_model_versions("name = 'foldlab'")
        files = {
            run.info.run_id: [
                [
                    (entry.path, entry.file_size)
                    for entry in client.list_artifacts(run.info.run_id, f)
                ]
                for f in (None, "plots")
            ]
            for run in runs
        }
        histories = {
            (run.info.run_id, key): [
                (point.step, point.timestamp, point.value)
                for point in client.get_metric_history(run.info.run_id, key)
            ]
            for run in runs
            for key in run.data.metrics
        }
        return (
            {run.info.run_id: run.to_dictionary() for run in runs},
            {model.model_id: model.to_dictionary() for model in models},
            {version.version: dict(version) for version in versions},
            files,
            histories,
        )


def test_the_server_has_it_all_and_twice_changes_nothing(team, capfd):
    assert stage.publish("basic")
    once = state()
    assert stage.publish("basic")
    assert state() == once

    runs, models, versions, files, histories = once
    (parent,) = [run for run in runs.values() if run["data"]["tags"]["foldlab.kind"] == "parent"]
    run_id = parent["info"]["run_id"]
    assert len(runs) == 3
    assert {run["info"]["status"] for run in runs.values()} == {"FINISHED"}
    assert parent["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    assert [len(entries) for entries in files[run_id]] == [8, len(PLOTS)]  # with the folder plots
    assert sorted(len(points) for points in histories.values())[-10:] == [2] * 10
    (model,) = models.values()
    assert model["status"] == 2
    assert model["tags"]["fingerprint"] == parent["data"]["tags"]["fingerprint"]
    (version,) = versions.values()
    assert version["run_id"] == run_id

    assert "hunter2" not in "".join(capfd.readouterr())
    for path in (path for path in team.folder.rglob("*") if path.is_file()):
        assert b"hunter2" not in path.read_bytes(), path


def test_a_slow_server_gets_its_time_and_no_more(team, repository, capfd):
    make_repository(repository, "basic", "other")
    assert not stage.publish("other", seconds=0.1)
    assert "not done after 0 s" in capfd.readouterr().err
    assert stage.unpublished() == ["other"]
    assert stage.publish("other")
    assert stage.unpublished() == []


def test_a_server_that_stops_in_mid_publish_is_caught_up(team, repository, monkeypatch, capfd):
    """The request that it was given last is still answered later, when nobody waits for it."""
    make_repository(repository, "basic", "other", "third")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")

    class StoppingClient(store.Client):
        created = 0

        def __getattr__(self, name):
            StoppingClient.created += name == "create_run"
            if StoppingClient.created == 2:  # the parent's and now the first fold's
                os.killpg(team.process.pid, signal.SIGSTOP)
            return super().__getattr__(name)

    with monkeypatch.context() as patch:
        patch.setattr(store, "Client", StoppingClient)
        assert not stage.publish("third")
    stderr = capfd.readouterr().err
    assert "publishing third to MLflow at http://127.0.0.1" in stderr
    assert "timed out" in stderr
    assert "hunter2" not in stderr
    assert (repository / "results" / "published" / "third.json").is_file()
    assert stage.unpublished() == ["third"]

    os.killpg(team.process.pid, signal.SIGCONT)
    assert stage.publish("basic")  # the next one that succeeds takes it along
    assert stage.unpublished() == []
    third = [run for run in state()[0].values() if run["data"]["tags"]["variant"] == "third"]
    assert len(third) == 3
    assert {run["info"]["status"] for run in third} == {"FINISHED"}
