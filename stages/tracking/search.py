"""Log the runs of one search: a parent run for the study and a child run for each trial.

As with a variant's runs, only what is missing is added.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlflow.entities import Metric, Run

from stages.search.trial import Trial, best
from stages.tracking.children import Child, add, agree, complete
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
    tags = {
        "variant": search.variant,
        "fingerprint": search.fingerprint,
        "data_sha256": search.data_sha256,
        "mlflow.source.name": "stages.commands.search",
    }
    parent = _parent(client, experiment_id, tags, trials)
    add(client, parent, search.params, _running_best(trials))
    complete(client, parent, "trial", (_child(trial, tags) for trial in trials))
    if trials and (parent.info.status, parent.info.end_time) != ("FINISHED", trials[-1].end):
        client.set_terminated(parent.info.run_id, "FINISHED", trials[-1].end)
    return parent.info.run_id


def _parent(
    client: Client, experiment_id: str, tags: dict[str, str], trials: Sequence[Trial]
) -> Run:
    """Return the run of this study, or create it; one with other results is of another checkout."""
    query = f"tags.fingerprint = '{tags['fingerprint']}' and tags.`foldlab.kind` = 'search'"
    found = client.search_runs([experiment_id], query, order_by=["attributes.start_time ASC"])
    measured = {trial.number: trial.sha256 for trial in trials}
    for run in found:
        if agree(client, run, "trial", measured):
            return run
    note = (
        f"Search over the settings of {tags['variant']}. The best trial's accuracy is the highest "
        "of many on the same folds and so biased upward."
    )
    tags = tags | {"foldlab.kind": "search", "mlflow.note.content": note}
    start = min((trial.start for trial in trials), default=None)
    return client.create_run(experiment_id, start, tags, "search")


def _child(trial: Trial, tags: dict[str, str]) -> Child:
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
    note = {"mlflow.note.content": trial.reason} if trial.reason else {}
    return Child(
        number=trial.number,
        sha256=trial.sha256,
        name=f"trial {trial.number}",
        start=trial.start,
        end=trial.end,
        status=STATUS[trial.state],
        params=dict(flat(trial.values)),
        points=points,
        tags={**tags, "foldlab.state": trial.state, **note},
    )


def _running_best(trials: Sequence[Trial]) -> list[Metric]:
    """Return the best score after each trial."""
    points = []
    for trial in trials:
        if leader := best(trials[: trial.number + 1]):
            scores = {"best_cv_accuracy_mean": leader.mean, "best_trial": leader.number}
            points += [
                Metric(name, value, trial.end, trial.number) for name, value in scores.items()
            ]
    return points
