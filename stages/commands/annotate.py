"""Add what a command measured to the runs of published variants in MLflow."""

from collections.abc import Callable, Iterable
from typing import Any

from stages import publish
from stages.settings.params import Params
from stages.tracking import marker, store


def runs(
    settings: Params, what: str, names: Iterable[str], annotate: Callable[[Any, str, str], None]
) -> None:
    """Call `annotate(client, run id, name)` for each variant that has a run; warn if that fails.

    `what` is named in the warning. The store is not opened unless a variant is published.
    """
    published = [(name, identity) for name in names if (identity := marker.published(name))]
    if not published:
        return
    try:
        with store.opened(settings.tracking, publish.SECONDS) as client:
            from stages.tracking.runs import find  # MLflow's import takes seconds

            for name, identity in published:
                if run := find(client, identity):
                    annotate(client, run.info.run_id, name)
    except store.StoreError as error:
        publish.warn(what, error)
