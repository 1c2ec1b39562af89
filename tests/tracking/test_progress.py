import shutil
from pathlib import Path

import pytest

from stages.files import read_json, read_table
from stages.settings import params
from stages.tracking import record, store
from tests.tracking.made_results import (
    BEGAN,
    everything,
    make_repository,
    make_results,
    without_ids,
)

LOCK = Path(".foldlab/lock")


@pytest.fixture
def progress():
    from stages.tracking import progress

    return progress


def read(progress, count):
    """Return the record of a training of which so many folds have ended."""
    results = Path("results/basic")
    tables = [
        [row for row in read_table(results / f"{name}.csv") if row["fold"] < count]
        for name in ("folds", "history", "timing")
    ]
    marker = {
        "variant": "basic",
        "description": "The baseline.",
        "fingerprint": read_json(results / "training.json")["fingerprint"],
        "settings": read_json(results / "training.json")["settings"],
        "dataset": read_json(Path("data/prepared/dataset.json")),
        "began": BEGAN,
    }
    return progress.read(marker, *tables)


def show(progress, count, status="RUNNING"):
    with store.opened("foldlab") as (client, experiment_id):
        progress.show(client, experiment_id, read(progress, count), status, LOCK)


def publish():
    from stages.tracking import runs

    with store.opened("foldlab") as (client, experiment_id):
        return runs.publish(client, experiment_id, record.read("basic", params.load()), "foldlab")


def active(root):
    return [row for row in everything(root)["runs"] if row["lifecycle_stage"] == "active"]


def statuses(root):
    return {row["name"]: row["status"] for row in active(root)}


def statuses_of(root, name):
    return sorted(row["status"] for row in active(root) if row["name"] == name)


def test_a_record_while_it_trains_is_part_of_the_later_one(repository, progress):
    now, later = read(progress, 1), record.read("basic", params.load())
    assert now.folds == later.folds[:1]
    assert now.folds[0].sha256 == later.folds[0].sha256 != later.folds[1].sha256
    assert (now.params, now.start, now.data_sha256) == (
        later.params,
        later.start,
        later.data_sha256,
    )
    assert (now.metrics, now.files, now.results_sha256) == ({}, {}, None)


@pytest.mark.parametrize(
    "course",
    [
        [(0, "RUNNING"), (1, "RUNNING"), (2, "RUNNING"), (2, "SCHEDULED")],
        [(0, "RUNNING"), (0, "RUNNING")],
        [(1, "RUNNING"), (1, "FAILED"), (1, "RUNNING"), (2, "SCHEDULED")],
        [(1, "FAILED")],
    ],
    ids=["in order", "tracker killed", "resumed", "killed"],
)
def test_whatever_was_shown_publishing_ends_as_if_nothing_had_been(
    repository, progress, course, empty_store, tmp_path, monkeypatch
):
    undisturbed = make_repository(tmp_path / "undisturbed")
    shutil.copyfile(empty_store, undisturbed / "mlflow.db")
    with monkeypatch.context() as patch:
        patch.chdir(undisturbed)
        publish()
    for count, status in course:
        show(progress, count, status)
        expected = {f"basic fold {number}": "FINISHED" for number in range(count)}
        assert statuses(repository) == expected | {"basic": status}
    publish()
    assert without_ids(repository) == without_ids(undisturbed)
    assert not list(Path(".foldlab/runs").iterdir())


def test_a_training_that_is_published_is_left_alone(repository, progress):
    publish()
    before = everything(repository)
    for status in ("RUNNING", "SCHEDULED", "FAILED"):
        show(progress, 1, status)
    assert everything(repository) == before


def test_a_run_whose_folds_have_other_bits_is_another_training(repository, progress):
    """On another kind of processor the same fingerprint may give them."""
    show(progress, 1, "FAILED")
    make_results(repository / "results" / "basic", "basic", 2, 2, better=0.05)
    publish()
    runs = [row for row in everything(repository)["runs"] if row["name"] == "basic"]
    assert sorted(row["status"] for row in runs) == ["FAILED", "FINISHED"]
    assert {row["lifecycle_stage"] for row in runs} == {"active"}


def test_the_same_training_on_another_machine_is_left_to_it(repository, progress):
    show(progress, 1)
    from stages.tracking import unfinished

    (note,) = Path(".foldlab/runs").iterdir()
    other = note.name
    note.unlink()  # so it is a run that this checkout has not begun
    show(progress, 0)
    parents = [row for row in everything(repository)["runs"] if row["name"] == "basic"]
    assert [row["status"] for row in parents] == ["RUNNING"] * 2
    publish()
    assert statuses_of(repository, "basic") == ["FINISHED", "RUNNING"]
    unfinished.note(other, "basic")  # now as if on the other machine, when it publishes too
    publish()
    assert statuses_of(repository, "basic") == ["FINISHED"]
    assert statuses_of(repository, "basic fold 0") == ["FINISHED"]
