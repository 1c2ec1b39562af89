"""Edits in MLflow's pages: `make publish` reverts them, and a second one changes nothing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.settings import params
from stages.tracking import address, store
from tests import prepared
from tests.command import status
from tests.tracking import kept
from tests.tracking.made_results import everything, identity, make_comparison, make_repository

pytestmark = pytest.mark.slow
VARIANTS = ("basic", "other")


@pytest.fixture(scope="module")
def once(tmp_path_factory, empty_store):
    """Make `other` champion by `make publish`."""
    root = make_repository(tmp_path_factory.mktemp("once") / "root", *VARIANTS, folds=5)
    make_comparison(root, basic=0.902, other=0.912)  # the means of the made folds
    with kept.made(root, empty_store):
        assert status("publish", "--all") == 0
    return root


@pytest.fixture
def published(once, monkeypatch):
    """Enter the repository in which `other` is champion, and return it."""
    monkeypatch.chdir(kept.put_back(once))
    return once


def run_of(client, name):
    return client.search_runs([client.experiment_id], f"attributes.run_name = '{name}'")[0]


def delete_run(name, *others):
    def edit(client):
        for each in (name, *others):
            client.delete_run(run_of(client, each).info.run_id)

    return edit


def delete_and_gc(client):
    delete_run("other", *(f"other fold {fold}" for fold in range(5)), "comparison")(client)
    from mlflow.cli import gc

    uri = address.uri()
    done = CliRunner().invoke(gc, ["--backend-store-uri", uri, "--tracking-uri", uri])
    assert done.exit_code == 0, done.output


def set_tags(name, **tags):
    def edit(client):
        for key, value in tags.items():
            client.set_tag(run_of(client, name).info.run_id, key.replace("__", "."), value)

    return edit


def delete_tags(name, *keys):
    def edit(client):
        for key in keys:
            client.delete_tag(run_of(client, name).info.run_id, key)

    return edit


def delete_logged_model(client):
    run_id = run_of(client, "other").info.run_id
    (model,) = client.search_logged_models([client.experiment_id], f"source_run_id = '{run_id}'")
    client.delete_logged_model(model.model_id)


def set_alias_to_a_foreign_version(client):
    version = client.create_model_version("foldlab", "file:///nowhere")
    client.set_registered_model_alias("foldlab", "champion", version.version)


EDITS = {
    "run deleted": delete_run("other"),
    "run, folds and comparison deleted for good": delete_and_gc,
    "comparison deleted": delete_run("comparison"),
    "fold deleted": delete_run("other fold 1"),
    "run renamed": set_tags("other", mlflow__runName="mine"),
    "logged model deleted": delete_logged_model,
    "experiment renamed": lambda client: client.rename_experiment(client.experiment_id, "old"),
    "experiment edited": lambda _: prepared.edit(Path(), {"tracking": {"experiment": "second"}}),
    "fingerprint edited": set_tags("other", fingerprint="mine"),
    "results edited": delete_tags("other", "results_sha256"),
    "files edited": set_tags("other", files_sha256="mine"),
    "verdict edited": set_tags("other", foldlab__verdict="mine"),
    "verdict deleted": delete_tags("other", "foldlab.verdict"),
    "folds' numbers edited": lambda client: (
        set_tags("other fold 1", foldlab__fold="mine")(client),
        delete_tags("other fold 2", "foldlab.fold")(client),
    ),
    "version deleted": lambda client: client.delete_model_version("foldlab", "2"),
    "version's tag edited": lambda client: client.set_model_version_tag(
        "foldlab", "1", "data_sha256", "mine"
    ),
    "model deleted": lambda client: client.delete_registered_model("foldlab"),
    "model renamed": lambda client: client.rename_registered_model("foldlab", "mine"),
    "alias deleted": lambda client: client.delete_registered_model_alias("foldlab", "champion"),
    "alias moved": lambda client: client.set_registered_model_alias("foldlab", "champion", "1"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_publishing_restores_everything(published, edit):
    with store.opened(params.load().tracking) as client:
        edit(client)
    assert status("publish", "--all") == 0
    check()
    before = everything(published)
    assert status("publish", "--all") == 0
    assert everything(published) == before


def check():
    """Check that all runs, verdicts, folds, models, versions and the champion exist."""
    from stages.tracking import children, runs

    with store.opened(params.load().tracking) as client:
        versions = []
        for variant in VARIANTS:
            run, version, complete = runs.look_up(client, identity(variant))
            assert complete
            verdict = "baseline" if variant == "basic" else "undecided: +1.00 points, against basic"
            assert run.data.tags["foldlab.verdict"] == verdict
            first, _, own = run.data.tags["mlflow.note.content"].partition("\n\n")
            assert first.startswith(f"{verdict} ([comparison](")
            assert own == ("The baseline." if variant == "basic" else "")
            folds = children.child_runs(client, run, "fold")
            assert {*"01234"} <= {fold.data.tags.get("foldlab.fold") for fold in folds}
            found = client.search_logged_models(
                [client.experiment_id], f"source_run_id = '{run.info.run_id}'"
            )
            (model,) = found
            assert version.source == model.artifact_location
            assert Path(version.source.removeprefix("file://"), "data/model.keras").is_file()
            link = [{"name": "foldlab", "version": version.version}]
            assert json.loads(model.tags["mlflow.modelVersions"]) == link
            versions.append(version.version)
        aliases = client.get_registered_model("foldlab").aliases
        elsewhere = client.get_experiment(client.experiment_id).name == "second"
        elsewhere = elsewhere or client.get_experiment_by_name("old")
        assert aliases["challenger"] == versions[0]
        assert aliases["champion"] == (2 if elsewhere else versions[1])
        kinds = [
            run.data.tags.get("foldlab.kind") for run in client.search_runs([client.experiment_id])
        ]
        assert kinds.count("comparison") == 1


@pytest.mark.parametrize("gone", [set_alias_to_a_foreign_version, delete_and_gc])
def test_a_champion_without_scores_stays_and_says_why(published, gone, capsys):
    with store.opened(params.load().tracking) as client:
        gone(client)
    # results that differ, so that no version can take the champion's place
    make_repository(published, *VARIANTS, "third", folds=5)
    path = Path("results/other/folds.csv")
    path.write_text(path.read_text().replace(",0.25,", ",0.26,"))
    assert status("publish", "--all") == 0
    assert "fold scores are not in MLflow" in capsys.readouterr().out


def test_a_champion_by_hand_whose_run_is_deleted_stays_champion_by_hand(published):
    assert status("promote", "basic") == 0
    with store.opened(params.load().tracking) as client:
        delete_run("basic")(client)
    for _ in range(2):
        assert status("publish", "--all") == 0
    with store.opened(params.load().tracking) as client:
        champion = client.get_model_version_by_alias("foldlab", "champion")
        assert client.get_run(champion.run_id).info.lifecycle_stage == "active"
        assert (champion.tags["variant"], champion.tags["foldlab.by_hand"]) == ("basic", "true")


def test_a_run_restored_from_the_bin_is_the_variant_s_only_one(published):
    with store.opened(params.load().tracking) as client:
        deleted = run_of(client, "other").info.run_id
        client.delete_run(deleted)
    assert status("publish", "--all") == 0
    with store.opened(params.load().tracking) as client:
        client.restore_run(deleted)
    assert status("publish", "--all") == 0
    check()
