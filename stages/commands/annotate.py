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

    `what` stands in the warning.
    """
    try:
        with store.opened(settings.tracking, publish.SECONDS) as client:
            from stages.tracking.runs import look_up  # MLflow's import takes seconds

            for name in names:
                identity = marker.published(name)
                parent = identity and look_up(client, identity)[0]
                if parent:
                    annotate(client, parent.info.run_id, name)
    except store.StoreError as error:
        publish.warn(what, error)
