"""What all runs have in common: adding what is missing, and child runs (folds and trials)."""

import contextlib
import getpass
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mlflow.entities import Metric, Param, Run, RunTag

from stages.tracking.store import Client

PARAMS_OR_TAGS = 100  # MLflow's limits for one batch
METRICS = 800
MOST = 50_000  # MLflow's limit for one search
SHA256 = "foldlab.sha256"  # tag of a child run: hash of its measurements


class Child(NamedTuple):
    """The run of a fold of a training, or of a trial of a search."""

    number: int
    sha256: str  # hash of the measurements
    name: str
    start: int  # ms since 1970
    end: int
    status: str  # of the complete run
    params: Mapping[str, str]
    points: Sequence[Metric]
    tags: Mapping[str, str]


def child_runs(client: Client, parent: Run, kind: str) -> list[Run]:
    """Return all child runs of one kind, "fold" or "trial", oldest first."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and tags.`foldlab.kind` = '{kind}'"
    order = ["attributes.start_time ASC"]
    return client.search_runs([parent.info.experiment_id], query, max_results=MOST, order_by=order)


def agree(client: Client, parent: Run, kind: str, measured: Mapping[int, str]) -> bool:
    """Return whether the child runs have the hashes in `measured` (number -> hash), if in both."""
    return all(
        measured.get(_number(run, kind), run.data.tags[SHA256]) == run.data.tags[SHA256]
        for run in child_runs(client, parent, kind)
        if SHA256 in run.data.tags
    )


def complete(client: Client, parent: Run, kind: str, children: Iterable[Child]) -> None:
    """Log the children of one kind that are not complete yet, and delete duplicate runs."""
    runs: dict[int, Run] = {}
    for run in child_runs(client, parent, kind):
        if runs.setdefault(_number(run, kind), run) is not run:
            client.delete_run(run.info.run_id)
    for child in children:
        run = runs.get(child.number)
        if run is not None and run.info.status == child.status:
            continue
        if run is None:
            tags = {
                "mlflow.parentRunId": parent.info.run_id,
                "foldlab.kind": kind,
                f"foldlab.{kind}": str(child.number),
                SHA256: child.sha256,
            }
            experiment_id = parent.info.experiment_id
            run = client.create_run(experiment_id, child.start, tags | child.tags, child.name)
        add(client, run, child.params, child.points)
        end = max(child.end, run.info.start_time)
        client.set_terminated(run.info.run_id, child.status, end)


def add(
    client: Client,
    run: Run,
    params: Mapping[str, str] | None = None,
    points: Sequence[Metric] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log the params, metric points and tags that the run does not have, in few requests.

    MLflow drops a repeated point by itself only if its time is the same, but timing.csv may be gone
    since an interrupted run was logged.
    """
    logged = {
        (key, point.step)
        for key in {point.key for point in points} & run.data.metrics.keys()
        for point in client.get_metric_history(run.info.run_id, key)
    }
    points = [point for point in points if (point.key, point.step) not in logged]
    new_params = [Param(k, v) for k, v in (params or {}).items() if k not in run.data.params]
    new_tags = [RunTag(k, v) for k, v in (tags or {}).items() if k not in run.data.tags]
    while points or new_params or new_tags:
        client.log_batch(
            run.info.run_id,
            points[:METRICS],
            new_params[:PARAMS_OR_TAGS],
            new_tags[:PARAMS_OR_TAGS],
        )
        points = points[METRICS:]
        new_params = new_params[PARAMS_OR_TAGS:]
        new_tags = new_tags[PARAMS_OR_TAGS:]


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


def _number(run: Run, kind: str) -> int:
    return int(run.data.tags[f"foldlab.{kind}"])
