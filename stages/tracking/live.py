"""Show a training while it runs: its parent run, and the runs of the folds that have ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.tracking import runs, unfinished
from stages.tracking.record import Record, dataset_params, flat, folds_of
from stages.tracking.store import Client

RUNNING = "RUNNING"
TRAINED = "SCHEDULED"  # what is not measured yet: publish makes it FINISHED
FAILED = "FAILED"


def read(
    ticket: Mapping[str, Any], rows: list[dict], history: list[dict], timing: list[dict]
) -> Record:
    """Return the record of a training that runs: its settings and the folds that have ended.

    Args:
        ticket: what `stages.live.announce` left.
        rows: of folds.csv as it would be now.
        history: of history.csv.
        timing: of timing.csv.
    """
    dataset = ticket["dataset"]
    times = {(row["fold"], row["epoch"]): (row["time"], row["seconds"]) for row in timing}
    folds = folds_of(rows, history, times, dataset["folds"]["count"])
    return Record(
        variant=ticket["variant"],
        description=ticket["description"],
        fingerprint=ticket["fingerprint"],
        results_sha256=None,
        data_sha256=dataset["sha256"],
        params=dict(flat(ticket["settings"])) | dataset_params(dataset),
        metrics={},
        folds=folds,
        files={},
        files_sha256=None,
        model=None,
        dataset=dataset,
        start=ticket["began"],
        end=max((fold.end for fold in folds), default=None),
    )


def show(client: Client, experiment_id: str, record: Record, status: str, lock: Path) -> None:
    """Make the store show how far a training is; twice changes nothing.

    A training that the store has in full already, to the same bits, is left as it is. A run is
    continued only when this checkout has begun it: another machine may be at the same training.

    Args:
        client: an opened store.
        experiment_id: where runs go.
        record: the training as far as it is.
        status: RUNNING, TRAINED or FAILED.
        lock: the file that is locked while the training runs.
    """
    found = runs.search_parents(client, experiment_id, record)
    whole = [run for run in found if "results_sha256" in run.data.tags]
    if any(runs.same_folds(client, run, record) for run in whole):
        return
    own = [run for run in found if unfinished.is_noted(run.info.run_id) and run not in whole]
    run = own[0] if own else runs.create_parent(client, experiment_id, record, lock)
    if status == RUNNING != run.info.status:
        unfinished.note(run.info.run_id, record.variant, lock)
        client.update_run(run.info.run_id, RUNNING)
    runs.complete_folds(client, run, record)
    if status == TRAINED != run.info.status:
        client.update_run(run.info.run_id, TRAINED)
    elif status == FAILED:
        unfinished.end(client, client.get_run(run.info.run_id), FAILED)
