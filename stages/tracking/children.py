"""What all runs have in common: adding what is missing, and child runs (folds and trials)."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from stages.tracking.record import Child
from stages.tracking.store import Client

METRICS, OTHERS = 800, 100  # MLflow's limits for one batch: metrics; params or tags
MAX_RESULTS = 50_000  # MLflow's limit for one search
SHA256 = "foldlab.sha256"  # tag of a child run: hash of its measurements
INHERITED = (  # tags that a child run copies from its parent
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
T = TypeVar("T")


def get_or_none(get: Callable[..., T], *arguments: str) -> T | None:
    """Return the result of a method of the client, or None if the store has no such entity."""
    with ignoring("RESOURCE_DOES_NOT_EXIST"):
        return get(*arguments)
    return None


@contextlib.contextmanager
def ignoring(code: str) -> Iterator[None]:
    """End the block without an error if the store answers with this error code."""
    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def if_permitted() -> contextlib.AbstractContextManager[None]:
    """Skip the block's deletion if the server refuses it: only an owner may delete."""
    return ignoring("PERMISSION_DENIED")


def search(client: Client, query: str, experiment_id: str = "") -> list[Run]:
    """Return the runs that match a query, oldest first, by default of the chosen experiment."""
    experiments, order = [experiment_id or client.experiment_id], ["attributes.start_time ASC"]
    return client.search_runs(experiments, query, max_results=MAX_RESULTS, order_by=order)


def child_runs(client: Client, parent: Run, kind: str) -> list[Run]:
    """Return all child runs of one kind, "fold" or "trial", oldest first."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and tags.`foldlab.kind` = '{kind}'"
    return search(client, query, parent.info.experiment_id)


def agree(client: Client, parent: Run, kind: str, children: Iterable[Child]) -> bool:
    """Return whether the child runs that exist have the hashes of these children."""
    measured = {str(child.number): child.sha256 for child in children}
    logged = [run.data.tags for run in child_runs(client, parent, kind)]
    return all(
        measured.get(tags.get(f"foldlab.{kind}", ""), tags[SHA256]) == tags[SHA256]
        for tags in logged
        if SHA256 in tags
    )


def complete(client: Client, parent: Run, kind: str, children: Iterable[Child]) -> None:
    """Log the children of one kind that are not complete yet, and delete duplicate runs."""
    runs: dict[str, Run] = {}
    for run in child_runs(client, parent, kind):
        # somebody may have deleted the tag
        number = run.data.tags.get(f"foldlab.{kind}", run.info.run_id)
        if runs.setdefault(number, run) is not run:
            with if_permitted():
                client.delete_run(run.info.run_id)
    inherited = {key: parent.data.tags[key] for key in INHERITED if key in parent.data.tags}
    for child in children:
        start = child.start or parent.info.start_time
        number = str(child.number)
        if number not in runs:
            tags = {
                "mlflow.parentRunId": parent.info.run_id,
                "foldlab.kind": kind,
                f"foldlab.{kind}": number,
                SHA256: child.sha256,
            }
            tags |= {**inherited, **child.tags}
            runs[number] = client.create_run(parent.info.experiment_id, start, tags, child.name)
        run = runs[number]
        if run.info.status != child.status:
            points = [  # without times, the steps follow the start
                Metric(name, value, start + step if time is None else time, step)
                for name, value, step, time in child.points
            ]
            add(client, run, child.params, points)
            end = max(child.end or start, run.info.start_time)
            client.set_terminated(run.info.run_id, child.status, end)


def same(stored: float | None, value: float) -> bool:
    """Return whether a metric's latest value is this one."""
    value = np.nan_to_num(value, nan=np.nan)  # stores replace infinity with the largest number
    return stored is not None and np.array_equal(stored, value, equal_nan=True)


def later(client: Client, run: Run, key: str) -> int:
    """Return the time now, or just after a metric's latest point if later, in ms since 1970.

    MLflow shows the value with the latest time, and the clock may have been set back.
    """
    history = client.get_metric_history(run.info.run_id, key)
    return max([round(time.time() * 1000), *(point.timestamp + 1 for point in history)])


def add(
    client: Client,
    run: Run,
    params: Mapping[str, str],
    points: Sequence[Metric] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log the params, metric points and tags that the run does not have, in few requests.

    MLflow drops a repeated point by itself only if its time is the same, but timing.csv may have
    been removed after an interrupted run was logged.
    """
    logged = {
        (key, point.step)
        for key in {point.key for point in points} & run.data.metrics.keys()
        for point in client.get_metric_history(run.info.run_id, key)
    }
    points = [point for point in points if (point.key, point.step) not in logged]
    new_params = [Param(k, v) for k, v in params.items() if k not in run.data.params]
    new_tags = [RunTag(k, v) for k, v in (tags or {}).items() if k not in run.data.tags]
    while points or new_params or new_tags:
        client.log_batch(run.info.run_id, points[:METRICS], new_params[:OTHERS], new_tags[:OTHERS])
        points = points[METRICS:]
        new_params, new_tags = new_params[OTHERS:], new_tags[OTHERS:]
