"""The stage `publish@<variant>`: log a variant's results to MLflow and write a marker for DVC."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stages.errors import UserError
from stages.files import listed, replacing, root
from stages.settings import params
from stages.tracking import address, marker, signature, store
from stages.tracking.record import Record, read
from stages.tracking.store_errors import StoreError

SECONDS = 20.0  # time limit for a server while a pipeline runs


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
    return [] if _is_temporary() else [note.name for note in listed(_note())]


def _is_temporary() -> bool:
    """Return whether DVC runs a temporary or queued experiment, in a folder that it deletes."""
    return root().resolve() != Path.cwd()


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
                if not _is_temporary():
                    _note(done.variant).unlink(missing_ok=True)
            unfinished.end_stale(client)
    except StoreError as error:
        for record in () if _is_temporary() else pending:
            with replacing(_note(record.variant)):  # an empty file, flushed to disk
                pass
        warn(", ".join(record.variant for record in pending), error)
    return [record.variant for record in pending]


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
    apply = f"`dvc exp apply {name}`, then " if _is_temporary() else ""
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
    if error.remedy and _is_temporary():
        remedy += f", then {_later()}"
    message = f"publishing {what} to MLflow at {address.shown()} failed: {error.reason}; {remedy}."
    print(f"foldlab: {message}", file=sys.stderr)
