"""Log the runs of one search: a parent run for the study and a child run for each trial.

As with a variant's runs, only what is missing is added.
"""

import math
from collections.abc import Mapping, Sequence

from mlflow.entities import Metric, Run

from stages.search.trial import Trial, best
from stages.tracking import note
from stages.tracking.children import add, agree, complete
from stages.tracking.children import search as search_runs
from stages.tracking.record import Child, flat
from stages.tracking.store import Client

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


def publish(
    client: Client, tags: Mapping[str, str], params: Mapping[str, str], trials: Sequence[Trial]
) -> str:
    """Log a study with its trials so far and return the parent run's id.

    The `tags` are `variant`, whose settings are searched, `fingerprint` and `data_sha256`; the
    `params` are seed and space, as in params.yaml.
    """
    children = [_child(trial) for trial in trials]
    parent = _parent(client, tags, children)
    points = []  # the best score after each trial
    for trial in trials:
        if leader := best(trials[: trial.number + 1]):
            scores = {f"best_cv_{leader.metric}_mean": leader.mean, "best_trial": leader.number}
            points += [Metric(key, value, trial.end, trial.number) for key, value in scores.items()]
    add(client, parent, params, points)
    complete(client, parent, "trial", children)
    if trials and (parent.info.status, parent.info.end_time) != ("FINISHED", trials[-1].end):
        client.set_terminated(parent.info.run_id, "FINISHED", trials[-1].end)
    return parent.info.run_id


def _parent(client: Client, study: Mapping[str, str], children: Sequence[Child]) -> Run:
    """Return this study's run, or create it; one with other results belongs to another checkout."""
    query = f"tags.fingerprint = '{study['fingerprint']}' and tags.`foldlab.kind` = 'search'"
    for run in search_runs(client, query):
        if agree(client, run, "trial", children):
            return run
    tags = {
        "foldlab.kind": "search",
        **study,
        "mlflow.source.name": "stages.commands.search",
        note.NOTE: f"Search over the settings of {study['variant']}. The best trial's "
        "score is the highest of many on the same folds, so it is biased upward.",
    }
    start = min((child.start for child in children if child.start), default=None)
    return client.create_run(client.experiment_id, start, tags, "search")


def _child(trial: Trial) -> Child:
    scores = []
    if trial.scores:
        summary = {"mean": trial.mean, "std": trial.sd, "n": len(trial.scores)}
        scores = [
            (f"cv_{trial.metric}_{key}", x, 0) for key, x in summary.items() if not math.isnan(x)
        ]
    folds = [(f"cv_{trial.metric}", score, fold) for fold, score in enumerate(trial.scores)]
    text = {note.NOTE: trial.reason[: note.LENGTH]} if trial.reason else {}
    return Child(
        number=trial.number,
        name=f"trial {trial.number}",
        sha256=trial.sha256,
        params=dict(flat(trial.values)),
        points=[(*point, trial.end) for point in folds + scores],
        start=trial.start,
        end=trial.end,
        tags={"foldlab.state": trial.state, **text},
        status=STATUS[trial.state],
    )
