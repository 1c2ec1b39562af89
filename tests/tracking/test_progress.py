"""What `runs.show` logs of a training while it runs."""

import shutil
from pathlib import Path

import pytest

from stages.settings import params
from stages.tracking import record
from tests.tracking.logged import active, begun, publish, show
from tests.tracking.made_results import everything, make_results, without_ids


def test_a_running_record_is_part_of_the_later_one(repository):
    now, later = begun(1), record.read("basic", params.load())
    assert now.folds == later.folds[:1]
    assert now.folds[0].sha256 == later.folds[0].sha256 != later.folds[1].sha256
    assert (now.params, now.start, now.dataset) == (later.params, later.start, later.dataset)
    assert (now.metrics, now.files, now.identity.results_sha256) == ({}, {}, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "course",
    [
        [(0, "RUNNING"), (0, "RUNNING"), (1, "RUNNING"), (2, "SCHEDULED")],
        [(1, "RUNNING"), (1, "FAILED"), (1, "RUNNING"), (2, "SCHEDULED")],
        [(1, "FAILED")],
    ],
    ids=["in order", "resumed", "killed"],
)
def test_publishing_ends_as_if_nothing_had_been_shown(repository, course, tmp_path, monkeypatch):
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(repository, undisturbed)
    with monkeypatch.context() as patch:
        patch.chdir(undisturbed)
        publish()
    for count, status in course:
        show(count, status)
        folds = [(f"basic fold {number}", "FINISHED") for number in range(count)]
        assert active(repository) == [("basic", status), *folds]
    publish()
    assert without_ids(repository) == without_ids(undisturbed)
    assert not list(Path(".foldlab/runs").iterdir())


@pytest.mark.slow
def test_a_published_training_is_left_alone(repository):
    publish()
    before = everything(repository)
    for status in ("RUNNING", "SCHEDULED", "FAILED"):
        show(1, status)
    assert everything(repository) == before


def test_a_run_with_other_fold_results_is_another_training(repository):
    """On another kind of processor the same fingerprint may give them."""
    show(1, "FAILED")
    make_results(repository / "results" / "basic", "basic", 2, 2, better=0.05)
    publish()
    parents = [status for name, status in active(repository) if name == "basic"]
    assert parents == ["FAILED", "FINISHED"]


def test_the_same_training_on_another_machine_is_left_to_it(repository):
    show(1)
    from stages.tracking import unfinished

    (note,) = Path(".foldlab/runs").iterdir()
    other = note.name
    note.unlink()  # so it is a run that this checkout has not begun
    show(0)
    fold = ("basic fold 0", "FINISHED")
    assert active(repository) == [("basic", "RUNNING"), ("basic", "RUNNING"), fold]
    publish()
    folds = [fold, fold, ("basic fold 1", "FINISHED")]
    assert active(repository) == [("basic", "FINISHED"), ("basic", "RUNNING"), *folds]
    unfinished.note(other, "basic")  # now as if on the other machine, when it publishes too
    publish()
    assert active(repository) == [("basic", "FINISHED"), *folds[1:]]
