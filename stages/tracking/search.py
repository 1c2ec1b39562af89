"""Log the runs of one search: a parent run for the study and a child run for each trial.

As with a variant's runs, only what is missing is added.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlflow.entities import Metric, Run

from stages.search.trial import Trial, best
from stages.tracking import runs
from stages.tracking.children import SHA256, TRIALS, agree, child_runs
from stages.tracking.record import flat
from stages.tracking.store import Client

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


class Search(NamedTuple):
    """What the trials of one study have in common."""

    variant: str  # the variant whose settings are searched
    fingerprint: str
    data_sha256: str
    params: dict[str, str]  # seed and space, as params.yaml has them


def publish(client: Client, experiment_id: str, search: Search, trials: Sequence[Trial]) -> str:
    """Log a study with its trials so far and return the parent run's id."""
    parent = _parent(client, experiment_id, search, trials)
    runs.log(client, parent, search.params, _running_best(client, parent, trials), {})
    found = child_runs(client, parent, TRIALS)
    children = {int(run.data.tags["foldlab.trial"]): run for run in found}
    for trial in trials:
        child = children.get(trial.number)
        if child is None or child.info.status == "RUNNING":
            _complete(client, parent, search, trial, child)
    if trials and (parent.info.status, parent.info.end_time) != ("FINISHED", trials[-1].end):
        client.set_terminated(parent.info.run_id, "FINISHED", trials[-1].end)
    return parent.info.run_id


def _parent(client: Client, experiment_id: str, search: Search, trials: Sequence[Trial]) -> Run:
    """Return the run of this study, or create it; one with other results is of another checkout."""
    query = f"tags.fingerprint = '{search.fingerprint}' and tags.`foldlab.kind` = 'search'"
    found = client.search_runs([experiment_id], query, order_by=["attributes.start_time ASC"])
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
    """Log one trial; `run` is its run, if there is one."""
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
    # MLflow drops repeated points of the same time: an interrupted run is logged again in full.
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
    runs.log(client, run, dict(flat(trial.values)), points, {})
    client.set_terminated(run.info.run_id, STATUS[trial.state], trial.end)


def _running_best(client: Client, parent: Run, trials: Sequence[Trial]) -> list[Metric]:
    """Return the best score after each trial, for the trials where it is not logged yet."""
    name = "best_cv_accuracy_mean"
    history = client.get_metric_history(parent.info.run_id, name)
    logged = {point.step for point in history}
    points = []
    for trial in trials:
        leader = best(trials[: trial.number + 1])
        if leader and trial.number not in logged:
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
