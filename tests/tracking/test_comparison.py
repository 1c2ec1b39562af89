from pathlib import Path

import pytest

from stages.files import read_table, write_table
from stages.settings import params
from stages.tracking import comparison, record, registered_model, runs, store
from tests.tracking.made_results import everything, identity, make_repository
from tests.tracking.test_runs import runs_of

pytestmark = pytest.mark.slow
BASIC = ("basic", "basic", 0.9, 0.01, None, None, None, "baseline")
OTHER = ("other", "basic", 0.95, 0.02, 0.05, 0.01, 0.99)
COLUMNS = ("variant", "baseline", "cv_mean", "cv_std", "difference", "p_holm", "p_better")


def show(verdict):
    table = Path("results/comparison.csv")
    write_table(table, (*COLUMNS, "verdict"), [BASIC, (*OTHER, verdict)])
    text = "# Comparison\n\n![Accuracy](plots/comparison.png)\n\n| variant |\n" + "x" * 6000
    Path("results/comparison.md").write_text(text)
    Path("results/plots").mkdir(exist_ok=True)
    Path("results/plots/comparison.png").write_bytes(b"picture")
    with store.opened("foldlab") as (client, experiment_id):
        settings = params.load()
        for name in ("basic", "other"):
            runs.publish(client, experiment_id, record.read(name, settings), "foldlab")
        rows = read_table(table)
        found = [identity(row["variant"]) for row in rows]
        versions = [registered_model.find(client, "foldlab", each) for each in found]
        return comparison.show(client, experiment_id, rows, found, versions)


def notes(root):
    return {
        name: run["tags"]["mlflow.note.content"] for name, run in runs_of(root, "parent").items()
    }


def test_a_run_has_the_comparison_once_and_each_variant_its_verdict(repository):
    make_repository(repository, "basic", "other")
    verdict = "better by 5.00 points (95 % 1.00 to 9.00)"
    run_id = show(verdict)
    before = everything(repository)
    assert show(verdict) == run_id
    assert everything(repository) == before
    shown = f"{verdict}, against basic"
    assert notes(repository) == {"basic": "baseline\n\nThe baseline.", "other": shown}
    assert runs_of(repository, "parent")["other"]["tags"]["foldlab.verdict"] == shown
    (run,) = runs_of(repository, "comparison").values()
    assert run["tags"]["mlflow.note.content"] == "# Comparison\n\n\n| variant |"
    assert run["run"]["status"] == "FINISHED"
    assert run["latest"].items() >= {"difference/other": 0.05, "cv_mean/basic": 0.9}.items()
    assert "difference/basic" not in run["latest"]
    folder = repository / "mlartifacts" / run_id / "artifacts"
    names = {path.name for path in folder.rglob("*.*")}
    assert names == {"comparison.csv", "comparison.md", "comparison.png"}


def test_a_new_verdict_replaces_the_old_one_but_no_comparison_and_no_words(repository):
    make_repository(repository, "basic", "other")
    first = show("better")
    with store.opened("foldlab") as (client, experiment_id):
        (run,) = client.search_runs([experiment_id], "attributes.run_name = 'basic'")
        client.set_tag(run.info.run_id, "mlflow.note.content", "baseline\n\nMine.")
    assert show("undecided") != first
    assert notes(repository) == {"basic": "baseline\n\nMine.", "other": "undecided, against basic"}
    kinds = [row["value"] for row in everything(repository)["tags"] if row["key"] == "foldlab.kind"]
    assert kinds.count("comparison") == 2
