"""The runs below a run: folds of a training, trials of a search."""

from collections.abc import Mapping

from mlflow.entities import Run

from stages.tracking.store import Client

FOLDS = "tags.`foldlab.kind` = 'fold'"
TRIALS = "tags.`foldlab.kind` = 'trial'"
RUNNING = "attributes.status = 'RUNNING'"
SHA256 = "foldlab.sha256"  # the tag of a fold or trial: of what was measured


def runs_below(client: Client, parent: Run, which: str) -> list[Run]:
    """Return all runs below `parent` for which the condition `which`, such as FOLDS, holds.

    MLflow gives them by pages; the oldest comes first.
    """
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and {which}"
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [parent.info.experiment_id],
            wanted,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            return found


def agree(
    client: Client, parent: Run, which: str, number: str, measured: Mapping[int, str]
) -> bool:
    """Return whether the runs below `parent` measured the same, as far as both sides go.

    Args:
        client: an opened store.
        parent: a training's or a search's run.
        which: FOLDS or TRIALS.
        number: the tag that numbers them.
        measured: number -> hash.
    """
    theirs = {
        int(run.data.tags[number]): run.data.tags[SHA256]
        for run in runs_below(client, parent, which)
        if SHA256 in run.data.tags
    }
    return all(theirs[each] == measured[each] for each in theirs.keys() & measured.keys())
