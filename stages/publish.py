"""Stage publish: make MLflow show what the files of a variant say, and leave a marker for DVC."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from stages import params
from stages.entry import root
from stages.errors import UserError
from stages.files import write_json
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
    folder = _notes()
    return sorted(note.name for note in folder.iterdir()) if folder.is_dir() else []


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

                unfinished.fail_stale(client)
                while left:
                    runs.publish(client, experiment_id, left[0], settings.tracking.model_name)
                    (_notes() / left.pop(0).variant).unlink(missing_ok=True)
            return []
        except Exception as error:  # whatever a tracker fails with, it costs no result
            if last or time.monotonic() - began > QUICK:
                names = [record.variant for record in left]
                _notes().mkdir(parents=True, exist_ok=True)
                for name in names:
                    (_notes() / name).touch()
                warn(", ".join(names), error)
                return names
            time.sleep(1)
    raise AssertionError("the last try returns")


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
