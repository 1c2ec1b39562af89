from pathlib import Path

import pytest

from stages.files import read_table
from stages.settings import params
from stages.settings.sections import Tracking
from stages.tracking import comparison, record, runs, store
from tests.tracking.made_results import everything, identity, make_comparison, make_repository
from tests.tracking.test_runs import runs_of

pytestmark = pytest.mark.slow


def show(verdict):
    make_comparison(Path(), verdict, basic=0.9, other=0.95)
    Path("results/plots").mkdir(exist_ok=True)
    Path("results/plots/comparison.png").write_bytes(b"picture")
    with store.opened(Tracking()) as client:
        for name in ("basic", "other"):
            runs.publish(client, record.read(name, params.load()))
        rows = read_table(Path("results/comparison.csv"))
        found = [identity(row["variant"]) for row in rows]
        parents = [runs.find(client, each) for each in found]
        return comparison.show(client, rows, found, parents)


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
    assert run["tags"]["mlflow.note.content"] == "# Comparison\n\n| a | b |"
    assert run["run"]["status"] == "FINISHED"
    assert run["latest"].items() >= {"difference/other": 0.01, "cv_mean/basic": 0.9}.items()
    assert "difference/basic" not in run["latest"]
    folder = repository / "mlartifacts" / run_id / "artifacts"
    names = {path.name for path in folder.rglob("*.*")}
    assert names == {"comparison.csv", "comparison.md", "comparison.png"}


def test_a_new_verdict_replaces_the_old_one_but_no_comparison_and_no_words(repository):
    make_repository(repository, "basic", "other")
    first = show("better")
    with store.opened(Tracking()) as client:
        (run,) = client.search_runs([client.experiment_id], "attributes.run_name = 'basic'")
        client.set_tag(run.info.run_id, "mlflow.note.content", "baseline\n\nMine.")
    assert show("undecided") != first
    assert notes(repository) == {"basic": "baseline\n\nMine.", "other": "undecided, against basic"}
    kinds = [row["value"] for row in everything(repository)["tags"] if row["key"] == "foldlab.kind"]
    assert kinds.count("comparison") == 2
