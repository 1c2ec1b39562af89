"""Complete the runs of one variant: whatever the store lacks of a record is added, nothing twice.

Order matters for a publishing that is cut off: a run is FINISHED only when all of it is there, and
a run is created together with the tags by which it is found again.
"""

import contextlib
import getpass
import math
import os
import subprocess
import time
from pathlib import Path

from mlflow.entities import LoggedModel, Metric, Param, Run, RunTag

from stages.tracking import attachments, model, registry, unfinished
from stages.tracking.children import FOLDS, SHA256, agree, runs_below
from stages.tracking.record import Fold, Record
from stages.tracking.store import Client

PARAMS_OR_TAGS = 100  # MLflow's limits for one batch
METRICS = 800
INHERITED = (  # the tags that a fold's run has from its parent
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
    """Make the store show `record` in full and return the id of its parent run."""
    run = parent(client, experiment_id, record)
    complete_folds(client, run, record)
    logged = model.complete(client, run, record)
    moment = max(record.end or 0, run.info.start_time)  # the clock may have been set back
    log(client, run, {}, _differing(client, record, run, logged, moment), {})
    attachments.complete_dataset(client, run, record)
    attachments.complete_files(client, run, record.files, record.files_sha256)
    registry.register(client, model_name, logged, record)
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED", moment)
    unfinished.overtake(client, run)
    unfinished.forget(run.info.run_id)
    return run.info.run_id


def parent(client: Client, experiment_id: str, record: Record) -> Run:
    """Find the variant's parent run by its fingerprint, or create it.

    A run of the same fingerprint whose training gave other bits, or that another machine may be
    at, is somebody else's and stays. A second run of the same bits goes to MLflow's bin.
    """
    found = search_parents(client, experiment_id, record)
    same = [run for run in found if _is_of(client, run, record)]
    same.sort(
        key=lambda run: (
            "results_sha256" not in run.data.tags,  # what is published comes first,
            not unfinished.is_noted(run.info.run_id),  # then what this checkout has begun
        )
    )
    for run in same[1:]:
        if run.info.status == "RUNNING" and not unfinished.is_noted(run.info.run_id):
            continue  # another machine is at it
        for child in runs_below(client, run, FOLDS):
            client.delete_run(child.info.run_id)
        client.delete_run(run.info.run_id)
        unfinished.forget(run.info.run_id)
    return same[0] if same else create_parent(client, experiment_id, record)


def search_parents(client: Client, experiment_id: str, record: Record) -> list[Run]:
    """Return the parent runs of a record's fingerprint, the oldest first."""
    wanted = (
        f"tags.fingerprint = '{record.fingerprint}' and tags.variant = '{record.variant}' "
        "and tags.`foldlab.kind` = 'parent'"
    )
    return client.search_runs([experiment_id], wanted, order_by=["attributes.start_time ASC"])


def create_parent(
    client: Client, experiment_id: str, record: Record, lock: Path | None = None
) -> Run:
    """Create a parent run and note it as unfinished; see `unfinished.note` for the lock."""
    run = client.create_run(experiment_id, record.start, _tags(record), record.variant)
    unfinished.note(run.info.run_id, record.variant, lock)
    return run


def _is_of(client: Client, run: Run, record: Record) -> bool:
    """Return whether a run shows this very training; of one that is not published, its folds."""
    if "results_sha256" in run.data.tags:
        return run.data.tags["results_sha256"] == record.results_sha256
    if unfinished.is_noted(run.info.run_id):
        return same_folds(client, run, record)
    if run.info.status == "RUNNING" or not runs_below(client, run, FOLDS):
        return False  # another machine is at it, or may go on with it
    return same_folds(client, run, record)


def same_folds(client: Client, run: Run, record: Record) -> bool:
    """Return whether those folds have the same bits that both the run and the record have."""
    measured = {fold.number: fold.sha256 for fold in record.folds}
    return agree(client, run, FOLDS, "foldlab.fold", measured)


def complete_folds(client: Client, run: Run, record: Record) -> None:
    """Make the store show the settings and the folds of `record` in and below its parent run."""
    log(client, run, record.params, [], _tags(record))
    children = _children(client, run)
    for fold in record.folds:
        complete_fold(client, run, record, fold, children.get(fold.number))


def complete_fold(
    client: Client, parent: Run, record: Record, fold: Fold, run: Run | None = None
) -> None:
    """Make the store show one fold below `parent`; `run` is its run, where there is one."""
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

    # The same tuple is stored once, but only with the same time: a half-logged run may have been
    # begun with a timing.csv that is gone now. So the steps that it has are asked for.
    have = {
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
    lacking = [point for point in points if (point.key, point.step) not in have]
    log(client, run, fold.params, lacking, {})
    client.set_terminated(run.info.run_id, "FINISHED", end)


def _children(client: Client, run: Run) -> dict[int, Run]:
    """Return fold -> run; a second run of a fold is put into the bin."""
    children: dict[int, Run] = {}
    for child in runs_below(client, run, FOLDS):
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
    """Return the tags that say where a run comes from: stage, experiment, commit, person."""
    tags = {"DVC_STAGE": stage, "mlflow.source.name": f"dvc.yaml:{stage}"}
    if name := os.environ.get("DVC_EXP_NAME"):
        tags["DVC_EXP_NAME"] = name
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, no repository
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        tags["git_commit"] = tags["mlflow.source.git.commit"] = told.stdout.strip()
    with contextlib.suppress(KeyError, OSError):  # a container's user without a name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def log(
    client: Client,
    run: Run,
    params: dict[str, str],
    metrics: list[Metric],
    tags: dict[str, str],
) -> None:
    """Log `metrics` and those of `params` and `tags` that the run lacks, in few requests."""
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


def _differing(
    client: Client, record: Record, run: Run, logged: LoggedModel, moment: int
) -> list[Metric]:
    """Return the variant's metrics that the run or the logged model lacks or has otherwise.

    A number that the evaluation has changed since is logged at the present time, or, where the
    clock was set back, just after the run's latest, so that it becomes the latest.
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
    if math.isinf(value):  # stores keep the largest number in its place
        return math.copysign(1, stored) == math.copysign(1, value) and abs(stored) > 1e308
    return stored == value or (math.isnan(stored) and math.isnan(value))
