"""Log the runs of one variant. Only what is missing is added, so logging twice changes nothing.

Publishing may be interrupted at any point: a run is created together with the tags that identify
it, and becomes FINISHED only when it is complete.
"""

import contextlib
import getpass
import math
import os
import subprocess
import time
from pathlib import Path

from mlflow.entities import LoggedModel, Metric, Param, Run, RunTag

from stages.tracking import attachments, model, registered_model, unfinished
from stages.tracking.children import FOLDS, SHA256, agree, child_runs
from stages.tracking.record import Fold, Record
from stages.tracking.store import Client

PARAMS_OR_TAGS = 100  # MLflow's limits for one batch
METRICS = 800
INHERITED = (  # tags that a fold's run copies from its parent
    "variant",
    "fingerprint",
    "data_sha256",
    "git_commit",
    "DVC_STAGE",
    "DVC_EXP_NAME",
    "mlflow.source.git.commit",
    "mlflow.source.name",
    "mlflow.user",
)


def publish(client: Client, experiment_id: str, record: Record, model_name: str) -> str:
    """Log everything in `record` and return the id of its parent run."""
    run = parent(client, experiment_id, record)
    complete_folds(client, run, record)
    logged = model.complete(client, run, record)
    moment = max(record.end or 0, run.info.start_time)  # the clock may have been set back
    log(client, run, {}, _outdated(client, record, run, logged, moment), {})
    attachments.complete_dataset(client, run, record)
    attachments.complete_files(client, run, record.files, record.files_sha256)
    registered_model.register(client, model_name, logged, record)
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED", moment)
    unfinished.overtake(client, run)
    unfinished.forget(run.info.run_id)
    return run.info.run_id


def parent(client: Client, experiment_id: str, record: Record) -> Run:
    """Return the variant's parent run; create it if there is none.

    A run of the same fingerprint but other results, or one that another machine may be writing, is
    left alone. A duplicate with the same results is deleted (MLflow keeps it in its bin).
    """
    found = search_parents(client, experiment_id, record)
    same = [run for run in found if _is_of(client, run, record)]
    same.sort(
        key=lambda run: (
            "results_sha256" not in run.data.tags,  # published runs first,
            not unfinished.is_noted(run.info.run_id),  # then runs of this checkout
        )
    )
    for run in same[1:]:
        if run.info.status == "RUNNING" and not unfinished.is_noted(run.info.run_id):
            continue  # another machine may be writing it
        for child in child_runs(client, run, FOLDS):
            client.delete_run(child.info.run_id)
        client.delete_run(run.info.run_id)
        unfinished.forget(run.info.run_id)
    return same[0] if same else create_parent(client, experiment_id, record)


def search_parents(client: Client, experiment_id: str, record: Record) -> list[Run]:
    """Return the parent runs of a record's variant and fingerprint, oldest first."""
    query = (
        f"tags.fingerprint = '{record.fingerprint}' and tags.variant = '{record.variant}' "
        "and tags.`foldlab.kind` = 'parent'"
    )
    return client.search_runs([experiment_id], query, order_by=["attributes.start_time ASC"])


def create_parent(
    client: Client, experiment_id: str, record: Record, lock: Path | None = None
) -> Run:
    """Create a parent run and note it as unfinished; see `unfinished.note` for the lock."""
    run = client.create_run(experiment_id, record.start, _tags(record), record.variant)
    unfinished.note(run.info.run_id, record.variant, lock)
    return run


def _is_of(client: Client, run: Run, record: Record) -> bool:
    """Return whether a run is of this training; an unpublished run is compared by its folds."""
    if "results_sha256" in run.data.tags:
        return run.data.tags["results_sha256"] == record.results_sha256
    if unfinished.is_noted(run.info.run_id):
        return same_folds(client, run, record)
    if run.info.status == "RUNNING" or not child_runs(client, run, FOLDS):
        return False  # another machine may be writing it or may resume it
    return same_folds(client, run, record)


def same_folds(client: Client, run: Run, record: Record) -> bool:
    """Return whether the folds that the run and the record share have the same results."""
    measured = {fold.number: fold.sha256 for fold in record.folds}
    return agree(client, run, FOLDS, "foldlab.fold", measured)


def complete_folds(client: Client, run: Run, record: Record) -> None:
    """Log the settings of `record` to its parent run, and its folds to child runs."""
    log(client, run, record.params, [], _tags(record))
    children = _children(client, run)
    for fold in record.folds:
        complete_fold(client, run, record, fold, children.get(fold.number))


def complete_fold(
    client: Client, parent: Run, record: Record, fold: Fold, run: Run | None = None
) -> None:
    """Log one fold as a child of `parent`; `run` is its run, if there is one."""
    if run and run.info.status == "FINISHED":
        return
    if run is None:
        tags = {key: parent.data.tags[key] for key in INHERITED if key in parent.data.tags}
        tags |= {
            "mlflow.parentRunId": parent.info.run_id,
            "foldlab.kind": "fold",
            "foldlab.fold": str(fold.number),
            SHA256: fold.sha256,
        }
        start = fold.start or parent.info.start_time
        name = f"{record.variant} fold {fold.number}"
        run = client.create_run(parent.info.experiment_id, start, tags, name)

    # MLflow drops a repeated point only if its time is the same, and the times may differ: an
    # interrupted run may have been logged with a timing.csv that is gone now.
    logged = {
        (key, point.step)
        for key in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, key)
    }
    start = run.info.start_time
    end = max(fold.end or 0, start)
    points = [
        Metric(key, value, fold.times.get(epoch, start + epoch), epoch)
        for key, value, epoch in fold.steps
    ]
    points += [Metric(key, value, end, 0) for key, value in fold.metrics.items()]
    missing = [point for point in points if (point.key, point.step) not in logged]
    log(client, run, fold.params, missing, {})
    client.set_terminated(run.info.run_id, "FINISHED", end)


def _children(client: Client, run: Run) -> dict[int, Run]:
    """Return fold -> run; delete duplicate runs of a fold."""
    children: dict[int, Run] = {}
    for child in child_runs(client, run, FOLDS):
        number = int(child.data.tags["foldlab.fold"])
        if number in children:
            client.delete_run(child.info.run_id)
        else:
            children[number] = child
    return children


def _tags(record: Record) -> dict[str, str]:
    tags = {
        "foldlab.kind": "parent",
        "variant": record.variant,
        "fingerprint": record.fingerprint,
        "results_sha256": record.results_sha256,
        "data_sha256": record.data_sha256,
        "files_sha256": record.files_sha256,
        "mlflow.note.content": record.description,
        **origin(f"publish@{record.variant}"),
    }
    return {key: value for key, value in tags.items() if value}


def origin(stage: str) -> dict[str, str]:
    """Return the tags for a run's origin: stage, experiment, commit and user."""
    tags = {"DVC_STAGE": stage, "mlflow.source.name": f"dvc.yaml:{stage}"}
    if name := os.environ.get("DVC_EXP_NAME"):
        tags["DVC_EXP_NAME"] = name
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no Git or no repository
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        tags["git_commit"] = tags["mlflow.source.git.commit"] = head.stdout.strip()
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def log(
    client: Client,
    run: Run,
    params: dict[str, str],
    metrics: list[Metric],
    tags: dict[str, str],
) -> None:
    """Log `metrics`, and the params and tags missing from the run, in few requests."""
    new_params = [Param(k, v) for k, v in params.items() if k not in run.data.params]
    new_tags = [RunTag(k, v) for k, v in tags.items() if k not in run.data.tags]
    while new_params or new_tags or metrics:
        client.log_batch(
            run.info.run_id,
            metrics=metrics[:METRICS],
            params=new_params[:PARAMS_OR_TAGS],
            tags=new_tags[:PARAMS_OR_TAGS],
        )
        metrics = metrics[METRICS:]
        new_params = new_params[PARAMS_OR_TAGS:]
        new_tags = new_tags[PARAMS_OR_TAGS:]


def _outdated(
    client: Client, record: Record, run: Run, logged: LoggedModel, moment: int
) -> list[Metric]:
    """Return the metrics that are missing from, or differ in, the run or the logged model.

    MLflow shows the value with the latest time. So a changed value is logged with the current time
    or, if the clock was set back, just after the run's latest.
    """
    of_model = {metric.key: metric.value for metric in logged.metrics or []}
    points = []
    for key, value in record.metrics.items():
        in_run = run.data.metrics.get(key)
        if not (_same(in_run, value) and _same(of_model.get(key), value)):
            when = moment
            if in_run is not None and not _same(in_run, value):
                history = client.get_metric_history(run.info.run_id, key)
                latest = max(point.timestamp for point in history)
                when = max(int(time.time() * 1000), latest + 1)
            points.append(Metric(key, value, when, 0, model_id=logged.model_id))
    return points


def _same(stored: float | None, value: float) -> bool:
    if stored is None:
        return False
    if math.isinf(value):  # stores replace it by the largest number
        return math.copysign(1, stored) == math.copysign(1, value) and abs(stored) > 1e308
    return stored == value or (math.isnan(stored) and math.isnan(value))
