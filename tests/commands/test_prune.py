"""Runs and models of removed variants in MLflow; files are in tests/pipeline/test_dvc.py."""

from pathlib import Path

import pytest
import yaml

from stages import publish
from stages.commands.promote import promote
from stages.commands.prune import prune
from stages.errors import UserError
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.refusals import command_refusal
from tests.tracking.made_results import dead_address, make_repository

pytestmark = pytest.mark.slow
VARIANTS = ("basic", "other", "third")


@pytest.fixture
def removed(repository):
    """Publish three variants, make one champion, and remove its row and another one."""
    make_repository(repository, *VARIANTS)
    publish.publish_all()
    promote("third")
    with store.opened(Tracking()) as client:
        (version,) = client.search_model_versions("tags.variant = 'other'")
        client.set_registered_model_alias("foldlab", "challenger", version.version)
    settings = yaml.safe_load((repository / "params.yaml").read_text())
    settings["variants"] = {"basic": settings["variants"]["basic"]}
    settings["compare"]["variants"] = ["basic"]
    (repository / "params.yaml").write_text(yaml.safe_dump(settings))


def held():
    """Return the names of all runs, and the variants of all model versions and logged models."""
    with store.opened(Tracking()) as client:
        runs = client.search_runs([client.experiment_id])
        versions = client.search_model_versions("name = 'foldlab'")
        models = client.search_logged_models([client.experiment_id])
        return (
            {run.info.run_name for run in runs},
            {version.tags["variant"] for version in versions},
            {model.name for model in models},
        )


def runs_of(*variants):
    return {f"{name}{kind}" for name in variants for kind in ("", " fold 0", " fold 1")}


def test_runs_and_models_are_removed_on_request_but_for_the_champion(removed, capsys):
    everything = (runs_of(*VARIANTS), {*VARIANTS}, {*VARIANTS})
    prune(yes=False, mlflow=True)
    printed = capsys.readouterr().out
    assert "MLflow: run other" in printed
    assert printed.endswith("to remove it, add --yes.\n")  # make prune YES=1 removes no runs
    prune(yes=False)
    assert "add --yes or run `make prune YES=1`" in capsys.readouterr().out
    prune(yes=True)
    assert held() == everything
    prune(yes=True, mlflow=True)
    (kept,) = [line for line in capsys.readouterr().out.splitlines() if "MLflow: run third" in line]
    assert "the champion" in kept
    assert held() == (runs_of("basic", "third"), {"basic", "third"}, {"basic", "third"})


def test_a_run_whose_variant_was_deleted_on_mlflow_s_pages_stays(removed):
    with store.opened(Tracking()) as client:
        query = "attributes.run_name = 'other'"
        (run,) = client.search_runs([client.experiment_id], query)
        client.delete_tag(run.info.run_id, "variant")
    prune(yes=True, mlflow=True)
    assert "other" in held()[0]


def test_a_merge_conflict_in_dvc_lock_is_named(repository):
    Path("dvc.lock").write_text("<<<<<<< HEAD\nstages: {}\n=======\n")
    assert "conflict" in command_refusal("prune")


def test_runs_on_a_server_are_not_removed(removed, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{dead_address()}")
    with pytest.raises(UserError, match="server"):
        prune(yes=True, mlflow=True)
