"""The stage `publish@<variant>`: log a variant's results to MLflow and write a marker for DVC."""

import sys
from collections.abc import Iterable
from pathlib import Path

from stages.errors import UserError
from stages.files import listed, replacing, root
from stages.settings import params
from stages.tracking import marker, signature, store
from stages.tracking.published import SECONDS, is_temporary, warn
from stages.tracking.record import Record, read
from stages.tracking.store_errors import StoreError


def publish(variant: str) -> bool:
    """Publish one variant to MLflow, and return whether the store has it in full.

    If the store fails, or needs too long over a network, only warn. A variant that could not be
    published is noted, and each later call retries the noted ones. A temporary or queued experiment
    of DVC neither reads nor writes notes, because its results are not in the repository.

    Raises:
        UserError: if the variant is unknown, its files are missing or belong to other data, or
            FOLDLAB_PRIVATE_KEY names no key.
    """
    signature.check_key()
    settings = params.load()
    record = read(variant, settings)
    others, _ = _read([name for name in unpublished() if name != variant], settings)
    failed = _send([record, *others], settings, SECONDS)
    marker.write(variant, record.identity)
    return variant not in failed


def publish_all() -> bool:
    """Publish the compared variants that have results and the noted ones; return whether all were.

    Raises:
        UserError: if there are no results, or FOLDLAB_PRIVATE_KEY names no key.
    """
    signature.check_key()
    settings = params.load()
    names = [*settings.compare.variants, *unpublished()]
    for name in names:
        if name not in settings.variants:
            print(
                f"foldlab: {name} was never published and has no row in params.yaml any more; "
                "restore the row, or run `make prune`.",
                file=sys.stderr,
            )
    found, errors = _read(names, settings)
    for error in errors:
        print(f"foldlab: {error}", file=sys.stderr)
    if not found and not errors:
        raise UserError("no variant has results to publish; run `dvc repro`.")
    failed = _send([*found], settings, None)
    for record in found:
        if record.variant in settings.compare.variants:  # compare depends on these markers only
            marker.write(record.variant, record.identity)
    return not failed and not errors


def unpublished() -> list[str]:
    """Return the variants noted because publishing them failed; none in DVC's own folder."""
    return [] if is_temporary() else [note.name for note in listed(_note())]


def _note(variant: str = "") -> Path:
    return root() / ".foldlab" / "unpublished" / variant


def _read(names: Iterable[str], settings: params.Params) -> tuple[list[Record], list[UserError]]:
    """Return the records of the variants that have results, and errors for unreadable ones."""
    found, errors = [], []
    for name in dict.fromkeys(names):
        if name in settings.variants and marker.has_results(name):
            try:
                found.append(read(name, settings))
            except UserError as error:
                errors.append(error)
    return found, errors


def _send(pending: list[Record], settings: params.Params, seconds: float | None) -> list[str]:
    """Publish records, removing each from the list; return the names of those that remain.

    Stops at the first failure, because each further record would wait for the same time limit.
    """
    try:
        with store.opened(settings.tracking, seconds) as client:
            from stages.tracking import runs, unfinished  # MLflow's import takes seconds

            while pending:
                runs.publish(client, pending[0])
                done = pending.pop(0)
                if not is_temporary():
                    _note(done.variant).unlink(missing_ok=True)
            unfinished.end_stale(client)
    except StoreError as error:
        for record in () if is_temporary() else pending:
            with replacing(_note(record.variant)):  # an empty file, flushed to disk
                pass
        warn(", ".join(record.variant for record in pending), error)
    return [record.variant for record in pending]
