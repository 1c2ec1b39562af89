"""Log a training while it runs: its parent run and the runs of finished folds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.tracking import runs, unfinished
from stages.tracking.record import Record, dataset_params, flat, folds_of
from stages.tracking.store import Client

RUNNING = "RUNNING"
TRAINED = "SCHEDULED"  # trained, but not evaluated: publish sets FINISHED
FAILED = "FAILED"


def read(
    marker: Mapping[str, Any], rows: list[dict], history: list[dict], timing: list[dict]
) -> Record:
    """Return the record of a running training: its settings and finished folds.

    Args:
        marker: the content of its start marker; see `stages.engine.tracker`.
        rows: of folds.csv, for the finished folds.
        history: of history.csv.
        timing: of timing.csv.
    """
    dataset = marker["dataset"]
    times = {(row["fold"], row["epoch"]): (row["time"], row["seconds"]) for row in timing}
    folds = folds_of(rows, history, times, dataset["folds"]["count"])
    return Record(
        variant=marker["variant"],
        description=marker["description"],
        fingerprint=marker["fingerprint"],
        results_sha256=None,
        data_sha256=dataset["sha256"],
        params=dict(flat(marker["settings"])) | dataset_params(dataset),
        metrics={},
        folds=folds,
        files={},
        files_sha256=None,
        model=None,
        dataset=dataset,
        start=marker["began"],
        end=max((fold.end for fold in folds), default=None),
    )


def show(client: Client, experiment_id: str, record: Record, status: str, lock: Path) -> None:
    """Log a training's progress; logging the same progress twice changes nothing.

    A training that is already published with the same results is skipped. Only a run that this
    checkout started is resumed, because another machine may run the same training.

    Args:
        client: an opened store.
        experiment_id: the experiment to log to.
        record: the training so far.
        status: RUNNING, TRAINED or FAILED.
        lock: the file that is locked while the training runs.
    """
    found = runs.search_parents(client, experiment_id, record)
    published = [run for run in found if "results_sha256" in run.data.tags]
    if any(runs.same_folds(client, run, record) for run in published):
        return
    own = [run for run in found if unfinished.is_noted(run.info.run_id) and run not in published]
    run = own[0] if own else runs.create_parent(client, experiment_id, record, lock)
    if status == RUNNING != run.info.status:
        unfinished.note(run.info.run_id, record.variant, lock)
        client.update_run(run.info.run_id, RUNNING)
    runs.complete_folds(client, run, record)
    if status == TRAINED != run.info.status:
        client.update_run(run.info.run_id, TRAINED)
    elif status == FAILED:
        unfinished.end(client, client.get_run(run.info.run_id), FAILED)
