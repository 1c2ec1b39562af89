"""Child runs: folds of a training, trials of a search."""

from collections.abc import Mapping

from mlflow.entities import Run

from stages.tracking.store import Client

FOLDS = "tags.`foldlab.kind` = 'fold'"
TRIALS = "tags.`foldlab.kind` = 'trial'"
RUNNING = "attributes.status = 'RUNNING'"
SHA256 = "foldlab.sha256"  # tag of a fold or trial: hash of its measurements


def child_runs(client: Client, parent: Run, which: str) -> list[Run]:
    """Return all child runs of `parent` that match a filter such as FOLDS, oldest first."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and {which}"
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [parent.info.experiment_id],
            query,
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
    """Return whether the child runs of `parent` that `measured` has too have the same hashes.

    Args:
        client: an opened store.
        parent: the run of a training or a search.
        which: FOLDS or TRIALS.
        number: the tag that holds the number of a child run.
        measured: number -> hash of the measurements.
    """
    logged = {
        int(run.data.tags[number]): run.data.tags[SHA256]
        for run in child_runs(client, parent, which)
        if SHA256 in run.data.tags
    }
    return all(logged[each] == measured[each] for each in logged.keys() & measured.keys())
