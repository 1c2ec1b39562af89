"""Two checkouts with one store, whose trainings of the same fingerprint gave different bits."""

import shutil
from pathlib import Path

import pytest

from stages import publish
from stages.commands.champion import champion
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.refusals import command_refusal
from tests.tracking.logged import TRIALS, active, publish_search, show
from tests.tracking.made_results import (
    everything,
    identity,
    make_comparison,
    make_repository,
    make_results,
)

pytestmark = pytest.mark.slow
TEAM = Path("../team")
RUNS, VERSIONS = ("runs", "tags"), ("registered_model_aliases", "model_version_tags")


@pytest.fixture
def enter(tmp_path, monkeypatch, empty_store):
    """Return a function that enters the checkout `ours` or `theirs`."""
    (tmp_path / "team").mkdir()
    shutil.copyfile(empty_store, tmp_path / "team/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team/mlflow.db")
    for name, better in (("ours", 0.0), ("theirs", 0.001)):
        root = make_repository(tmp_path / name, folds=5)
        make_results(root / "results/basic", "basic", 5, 2, better)
        make_results(root / "results/other", "other", 5, 2, better + 0.02)

    def enter(name):
        monkeypatch.chdir(tmp_path / name)
        make_comparison(tmp_path / name, basic=0.91, other=0.92)

    return enter


def touching(run_id):
    """Return all rows about a run, its child runs and its model versions."""
    rows = everything(TEAM)
    own = {run_id} | {
        row["run_uuid"]
        for row in rows["tags"]
        if row["key"] == "mlflow.parentRunId" and row["value"] == run_id
    }
    versions = {row["version"] for row in rows["model_versions"] if row["run_id"] == run_id}
    tables = {name: [row for row in rows[name] if row["run_uuid"] in own] for name in RUNS}
    return tables | {
        name: [row for row in rows[name] if row["version"] in versions] for name in VERSIONS
    }


def trained(variant):
    from stages.tracking import runs

    with store.opened(Tracking()) as client:
        return runs.find(client, identity(variant)).info.run_id


def published(enter, *names):
    for name in names:
        enter(name)
        assert publish.publish("basic")
        assert publish.publish("other")


def test_champion_judges_only_results_of_its_own_checkout(enter):
    published(enter, "ours", "theirs")
    theirs = [trained(name) for name in ("basic", "other")]
    before = [touching(each) for each in theirs]
    enter("ours")
    champion()
    for variant, alias in (("other", "champion"), ("basic", "challenger")):
        rows = touching(trained(variant))
        assert [row["alias"] for row in rows["registered_model_aliases"]] == [alias]
        assert "foldlab.verdict" in {row["key"] for row in rows["tags"]}
    assert [touching(each) for each in theirs] == before


def test_what_only_the_other_checkout_has_published_is_missing(enter, monkeypatch, capsys):
    published(enter, "theirs")
    before = everything(TEAM)["model_version_tags"]
    enter("ours")
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert not publish.publish("basic")
        assert not publish.publish("other")
    champion()
    assert "other, basic missing from MLflow" in capsys.readouterr().err
    assert everything(TEAM)["model_version_tags"] == before
    assert everything(TEAM)["registered_model_aliases"] == []
    assert "not registered" in command_refusal("promote", "other")


def test_a_training_is_shown_although_the_other_s_is_published(enter):
    published(enter, "theirs")
    enter("ours")
    show(1)
    assert [status for name, status in active(TEAM) if name == "basic"] == ["FINISHED", "RUNNING"]
    show(5)
    assert publish.publish("basic")
    assert [status for name, status in active(TEAM) if name == "basic"] == ["FINISHED"] * 2


def test_each_search_has_its_own_runs(enter):
    enter("theirs")
    theirs = publish_search(TRIALS)
    before = touching(theirs)
    enter("ours")
    other = [trial._replace(scores=[a + 0.01 for a in trial.scores]) for trial in TRIALS]
    ours = publish_search(other[:2])
    assert ours != theirs
    assert publish_search(other) == ours
    assert touching(theirs) == before
    assert len(touching(ours)["runs"]) == 5
    enter("theirs")
    assert publish_search(TRIALS) == theirs
