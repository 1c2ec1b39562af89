from pathlib import Path

import pytest

from stages.files import read_table, write_table
from stages.settings import params
from stages.tracking import comparison, record, registered_model, runs, store
from tests.tracking.made_results import everything, identity, make_repository

pytestmark = pytest.mark.slow
ROWS = [
    ("basic", "basic", 0.9, 0.01, None, None, None, "baseline"),
    ("other", "basic", 0.95, 0.02, 0.05, 0.01, 0.99, "better by 5.00 points (95 % 1.00 to 9.00)"),
]
COLUMNS = ("variant", "baseline", "cv_mean", "cv_std", "difference", "p_holm", "p_better")


@pytest.fixture
def compared(repository):
    make_repository(repository, "basic", "other")
    write(ROWS)
    return repository


def write(rows):
    write_table(Path("results/comparison.csv"), (*COLUMNS, "verdict"), rows)
    text = "# Comparison\n\n![Accuracy](plots/comparison.png)\n\n| variant |\n" + "x" * 6000
    Path("results/comparison.md").write_text(text)
    Path("results/plots").mkdir(exist_ok=True)
    Path("results/plots/comparison.png").write_bytes(b"picture")


def show():
    with store.opened("foldlab") as (client, experiment_id):
        settings = params.load()
        for name in ("basic", "other"):
            runs.publish(client, experiment_id, record.read(name, settings), "foldlab")
        rows = read_table(Path("results/comparison.csv"))
        found = [identity(row["variant"]) for row in rows]
        versions = [registered_model.find(client, "foldlab", each) for each in found]
        return comparison.show(client, experiment_id, rows, found, versions)


def tags(root):
    rows = everything(root)
    names = {row["run_uuid"]: row["name"] for row in rows["runs"]}
    return {(names[row["run_uuid"]], row["key"]): row["value"] for row in rows["tags"]}


def test_a_run_has_the_comparison_once_and_each_variant_its_verdict(compared):
    run_id = show()
    before = everything(compared)
    assert show() == run_id
    assert everything(compared) == before
    found = tags(compared)
    assert found["other", "foldlab.verdict"] == f"{ROWS[1][-1]}, against basic"
    assert found["other", "mlflow.note.content"] == found["other", "foldlab.verdict"]
    assert found["basic", "mlflow.note.content"] == "baseline\n\nThe baseline."
    assert found["comparison", "mlflow.note.content"] == "# Comparison\n\n\n| variant |"
    rows = everything(compared)
    (run,) = [row for row in rows["runs"] if row["run_uuid"] == run_id]
    assert run["status"] == "FINISHED"
    numbers = {row["key"]: row["value"] for row in rows["metrics"] if row["run_uuid"] == run_id}
    assert numbers["difference/other"] == 0.05
    assert "difference/basic" not in numbers
    assert numbers["cv_mean/basic"] == 0.9
    folder = compared / "mlartifacts" / run_id / "artifacts"
    assert {path.name for path in folder.rglob("*.*")} == {
        "comparison.csv",
        "comparison.md",
        "comparison.png",
    }


def test_a_new_verdict_replaces_the_old_one_and_the_old_comparison_stays(compared):
    first = show()
    write([ROWS[0], (*ROWS[1][:-1], "undecided: +0.10 points")])
    second = show()
    assert first != second
    found = tags(compared)
    assert found["other", "mlflow.note.content"] == "undecided: +0.10 points, against basic"
    assert found["basic", "mlflow.note.content"] == "baseline\n\nThe baseline."
    kinds = [row["value"] for row in everything(compared)["tags"] if row["key"] == "foldlab.kind"]
    assert kinds.count("comparison") == 2


def test_what_a_person_wrote_into_a_description_stays(compared):
    show()
    with store.opened("foldlab") as (client, experiment_id):
        (run,) = client.search_runs([experiment_id], "attributes.run_name = 'basic'")
        client.set_tag(run.info.run_id, "mlflow.note.content", "baseline\n\nMine.")
    write([(*ROWS[0][:-1], "baseline"), (*ROWS[1][:-1], "worse")])
    show()
    assert tags(compared)["basic", "mlflow.note.content"] == "baseline\n\nMine."
