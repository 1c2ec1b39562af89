"""Complete the runs of one search: a parent run for the study, a child run for each trial.

As with a variant's runs, what the store lacks is added and nothing is logged twice.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlflow.entities import Metric, Param, Run

from stages.search.trial import Trial, best
from stages.tracking.children import SHA256, TRIALS, agree, runs_below
from stages.tracking.record import flat
from stages.tracking.store import Client

BATCH = 100  # MLflow's limit for the parameters of one request
METRICS = 800
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


class Search(NamedTuple):
    """What is common to the trials of one study."""

    variant: str  # the row that it starts from
    fingerprint: str
    data_sha256: str
    params: dict[str, str]  # seed and space, as params.yaml has them


def publish(client: Client, experiment_id: str, search: Search, trials: Sequence[Trial]) -> str:
    """Make the store show a study with its trials so far, and return the parent run's id."""
    parent = _parent(client, experiment_id, search, trials)
    _log(client, parent, search.params, _running_best(client, parent, trials))
    below = runs_below(client, parent, TRIALS)
    children = {int(run.data.tags["foldlab.trial"]): run for run in below}
    for trial in trials:
        child = children.get(trial.number)
        if child is None or child.info.status == "RUNNING":
            _complete(client, parent, search, trial, child)
    if trials and (parent.info.status, parent.info.end_time) != ("FINISHED", trials[-1].end):
        client.set_terminated(parent.info.run_id, "FINISHED", trials[-1].end)
    return parent.info.run_id


def _parent(client: Client, experiment_id: str, search: Search, trials: Sequence[Trial]) -> Run:
    """Find the run of this very study, or create it; other bits make it another checkout's."""
    wanted = f"tags.fingerprint = '{search.fingerprint}' and tags.`foldlab.kind` = 'search'"
    found = client.search_runs([experiment_id], wanted, order_by=["attributes.start_time ASC"])
    measured = {trial.number: trial.sha256 for trial in trials}
    for run in found:
        if agree(client, run, TRIALS, "foldlab.trial", measured):
            return run
    start = min((trial.start for trial in trials), default=None)
    tags = _tags(search) | {
        "foldlab.kind": "search",
        "mlflow.note.content": f"Search over the settings of {search.variant}. The best trial's "
        "accuracy is the highest of many on the same folds and so biased upward.",
    }
    return client.create_run(experiment_id, start, tags, "search")


def _complete(client: Client, parent: Run, search: Search, trial: Trial, run: Run | None) -> None:
    """Make the store show one trial; `run` is its run, where one was begun."""
    if run is None:
        tags = _tags(search) | {
            "mlflow.parentRunId": parent.info.run_id,
            "foldlab.kind": "trial",
            "foldlab.trial": str(trial.number),
            "foldlab.state": trial.state,
            SHA256: trial.sha256,
        }
        if trial.reason:
            tags["mlflow.note.content"] = trial.reason
        name = f"trial {trial.number}"
        run = client.create_run(parent.info.experiment_id, trial.start, tags, name)
    # The same point with the same time is stored once, so a half-logged run needs no asking.
    points = [
        Metric("cv_accuracy", value, trial.end, fold) for fold, value in enumerate(trial.accuracies)
    ]
    if trial.accuracies:
        scores = {"mean": trial.mean, "std": trial.sd, "n": len(trial.accuracies)}
        points += [
            Metric(f"cv_accuracy_{name}", value, trial.end, 0)
            for name, value in scores.items()
            if not math.isnan(value)
        ]
    _log(client, run, dict(flat(trial.values)), points)
    client.set_terminated(run.info.run_id, STATUS[trial.state], trial.end)


def _running_best(client: Client, parent: Run, trials: Sequence[Trial]) -> list[Metric]:
    """Return the best so far after each trial, for those trials after which it is not logged."""
    name = "best_cv_accuracy_mean"
    history = client.get_metric_history(parent.info.run_id, name)
    have = {point.step for point in history}
    points = []
    for trial in trials:
        leader = best(trials[: trial.number + 1])
        if leader and trial.number not in have:
            points.append(Metric(name, leader.mean, trial.end, trial.number))
            points.append(Metric("best_trial", leader.number, trial.end, trial.number))
    return points


def _tags(search: Search) -> dict[str, str]:
    return {
        "variant": search.variant,
        "fingerprint": search.fingerprint,
        "data_sha256": search.data_sha256,
        "mlflow.source.name": "stages.commands.search",
    }


def _log(client: Client, run: Run, params: dict[str, str], points: list[Metric]) -> None:
    """Log points and those parameters that the run lacks."""
    new = [Param(key, value) for key, value in params.items() if key not in run.data.params]
    while new or points:
        client.log_batch(run.info.run_id, metrics=points[:METRICS], params=new[:BATCH])
        new, points = new[BATCH:], points[METRICS:]
