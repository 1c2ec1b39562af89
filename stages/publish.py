"""Stage publish: make MLflow show what the files of a variant say, and leave a marker for DVC."""

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages import params
from stages.entry import root
from stages.errors import UserError
from stages.files import listed, write_json
from stages.tracking import record as records
from stages.tracking import store
from stages.tracking.record import Record

SECONDS = 20.0  # what a server may take of a pipeline's time in all
QUICK = 5.0  # a store that fails within this time is tried once more


def publish(variant: str, seconds: float | None = SECONDS) -> bool:
    """Publish one variant to MLflow; a store that fails costs a warning and nothing else.

    A variant that could not be published is noted, and each later call tries those noted too.

    Args:
        variant: a row of params.yaml whose results are there.
        seconds: how long a server may take in all; None: any time.

    Returns:
        Whether the store has all of this variant.

    Raises:
        UserError: when the variant is unknown, or its files are missing or do not fit.
    """
    settings = params.load()
    wanted = records.read(variant, settings)
    noted = [name for name in unpublished() if name != variant]
    left, _ = _read(noted, settings)
    failed = _send([wanted, *left], settings, seconds)
    _mark(wanted)
    return variant not in failed


def publish_all() -> bool:
    """Publish every chosen variant that has results, and those noted.

    Returns:
        Whether the store has them all.

    Raises:
        UserError: when there are no results.
    """
    settings = params.load()
    wanted, refused = _read([*settings.compare.variants, *unpublished()], settings)
    for reason in refused:
        print(f"foldlab: {reason}", file=sys.stderr)
    if not wanted and not refused:
        raise UserError("no variant has results to publish; run `dvc repro`.")
    failed = _send(wanted, settings, None)
    for record in wanted:
        if record.variant in settings.compare.variants:  # compare depends on no other marker
            _mark(record)
    return not failed and not refused


def unpublished() -> list[str]:
    """Return the variants that a store has not taken so far."""
    return [note.name for note in listed(_notes())]


def _notes() -> Path:
    return root() / ".foldlab" / "unpublished"


def _read(names: Iterable[str], settings: params.Params) -> tuple[list[Record], list[str]]:
    """Return the records of those variants that have results, and why the others have none."""
    read, refused = [], []
    for name in dict.fromkeys(names):
        if name in settings.variants and records.has_results(name):
            try:
                read.append(records.read(name, settings))
            except UserError as error:
                refused.append(str(error))
    return read, refused


def _send(wanted: list[Record], settings: params.Params, seconds: float | None) -> list[str]:
    """Publish records in turn; return the names of those that the store has not taken.

    The first failure ends it: a store that fails once would make each of the others wait too.
    """
    left = list(wanted)
    began = time.monotonic()
    for last in (False, True):
        try:
            with store.opened(settings.tracking.experiment, seconds) as (client, experiment_id):
                from stages.tracking import runs, unfinished  # MLflow's import takes seconds

                while left:
                    runs.publish(client, experiment_id, left[0], settings.tracking.model_name)
                    (_notes() / left.pop(0).variant).unlink(missing_ok=True)
                _drop_removed(settings, client)
                unfinished.fail_stale(client)
            return []
        except Exception as error:
            if not store.failed(error):
                raise
            if last or time.monotonic() - began > QUICK:
                names = [record.variant for record in left]
                _notes().mkdir(parents=True, exist_ok=True)
                for name in names:
                    (_notes() / name).touch()
                warn(", ".join(names), error)
                _drop_removed(settings)
                return names
            time.sleep(1)
    raise AssertionError("the last try returns")


def _drop_removed(settings: params.Params, client: store.Client | None = None) -> None:
    """Forget, and say so, what is unpublished or unfinished of variants that are no rows any more.

    `client` is an opened store, None where it cannot be reached.
    """
    if root().resolve() != Path.cwd().resolve():
        return  # a temporary experiment has rows of its own
    from stages.tracking import unfinished  # MLflow's import takes seconds

    left = {name for name in unpublished() if name not in settings.variants}
    for name in left:
        (_notes() / name).unlink(missing_ok=True)
    if names := sorted(left | unfinished.drop_removed(settings.variants, client)):
        print(
            f"foldlab: {', '.join(names)}: no row of params.yaml any more, so what MLflow lacked "
            "of it is forgotten.",
            file=sys.stderr,
        )


def lacking(settings: params.Params) -> list[str]:
    """Return the chosen variants whose published results the store lacks.

    Raises:
        Exception: of a store that cannot be asked; see `store.failed`.
    """
    names = {name: records.published(name) for name in settings.compare.variants}
    names = {name: identity for name, identity in names.items() if identity}
    path = store.database(store.location())
    if not names or (path and not path.exists()):
        return [*names]
    with store.opened(settings.tracking.experiment, QUICK) as (client, _):
        from stages.tracking import registry

        model = settings.tracking.model_name
        return [name for name in names if not registry.find(client, model, names[name])]


def tell_lacking(names: Sequence[str]) -> None:
    """Say on stderr that the store lacks these variants, where there are any, and the cure."""
    if names:
        print(
            f"foldlab: MLflow at {store.safe(store.location())} lacks {', '.join(names)}; "
            "`make publish` fills it.",
            file=sys.stderr,
        )


def warn(what: str, error: Exception) -> None:
    """Say on stderr that something did not reach MLflow, why, and what to do."""
    uri = store.safe(store.location())
    old = "db upgrade" in str(error)
    upgrade = f"`mlflow db upgrade {uri}` after a backup, then " if old else ""
    print(
        f"foldlab: {what} not (fully) published to MLflow at {uri}: "
        f"{store.why(error)}; the results are safe in results/, "
        f"run {upgrade}`make publish` when it is back.",
        file=sys.stderr,
    )


def _mark(record: Record) -> None:
    write_json(Path("results/published") / f"{record.variant}.json", records.marker(record))
