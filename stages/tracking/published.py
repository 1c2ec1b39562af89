"""What MLflow has of the compared variants, notes on their runs, and warnings of what it lacks."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stages.files import root
from stages.settings import params
from stages.tracking import address, marker, store
from stages.tracking.store_errors import StoreError

SECONDS = 20.0  # time limit for a server while a pipeline runs


def is_temporary() -> bool:
    """Return whether DVC runs a temporary or queued experiment, in a folder that it deletes."""
    return root().resolve() != Path.cwd()


def missing(settings: params.Params) -> list[str]:
    """Return the compared variants that are marked as published but incomplete in the store."""
    published = ((name, marker.published(name)) for name in settings.compare.variants)
    marked = {name: identity for name, identity in published if identity}
    path = address.database(address.uri())
    if not marked or (path and not path.exists()):
        return [*marked]
    with store.opened(settings.tracking, SECONDS) as client:
        from stages.tracking.runs import look_up

        return [name for name, identity in marked.items() if not look_up(client, identity)[2]]


def warn_missing(names: Sequence[str]) -> None:
    """Print on stderr which variants are missing from the store, if any, and what to do."""
    if names:
        missing = f"{', '.join(names)} missing from MLflow at {address.shown()}"
        print(f"foldlab: {missing}; {_later()}.", file=sys.stderr)


def _later() -> str:
    """Return how to publish the results in this folder later."""
    name = os.environ.get("DVC_EXP_NAME", "NAME")
    apply = f"`dvc exp apply {name}`, then " if is_temporary() else ""
    return f"run {apply}`make publish`"


def annotate(
    settings: params.Params,
    what: str,
    names: Iterable[str],
    add: Callable[[store.Client, str, str], None],
) -> None:
    """Call `add(client, run id, name)` for each variant that has a run; warn if that fails.

    The warning names `what`. The store is opened only if a variant is published. A run whose
    results differ from those in results/ is left unchanged.
    """
    published = []
    for name in names:
        identity = marker.published(name)
        if identity and marker.is_published(name, identity):
            published.append((name, identity))
        elif identity:
            print(
                f"foldlab: the results of {name} differ from those that were published, so its run "
                f"in MLflow does not get {what}; run `dvc repro publish@{name}`, then this command "
                "again.",
                file=sys.stderr,
            )
    if not published:
        return
    try:
        with store.opened(settings.tracking, SECONDS) as client:
            from stages.tracking.runs import find

            for name, identity in published:
                if run := find(client, identity):
                    add(client, run.info.run_id, name)
    except StoreError as error:
        warn(what, error)


def warn(what: str, error: StoreError, saved: str = "") -> None:
    """Print on stderr that publishing failed, why, and what to do."""
    remedy = error.remedy or saved or f"results/ is complete, {_later()} when the store is back"
    if error.remedy and is_temporary():
        remedy += f", then {_later()}"
    message = f"publishing {what} to MLflow at {address.shown()} failed: {error.reason}; {remedy}."
    print(f"foldlab: {message}", file=sys.stderr)
