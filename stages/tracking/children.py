"""The runs below a run: folds of a training, trials of a search."""

from mlflow.entities import Run

from stages.tracking.store import Client

FOLDS = "tags.`foldlab.kind` = 'fold'"
TRIALS = "tags.`foldlab.kind` = 'trial'"
RUNNING = "attributes.status = 'RUNNING'"


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
