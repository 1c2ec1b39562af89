"""`python -m stages live SECONDS EXPERIMENT FINGERPRINT...`: log training while it runs.

`train` and `sweep` start it. It polls the fold store for finished folds. Its input ends when the
training does: after the word "done", or without it if the training was killed.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

POLL = 0.5  # s between polls of the fold store
PAUSE = 20.0  # s before the next attempt after the store failed
STORE_SECONDS = 10.0  # time limit for a server, per attempt
LAST_SECONDS = 20  # after the training's end; `publish` logs what is missing by then


def live(seconds: float, experiment: str, fingerprints: Sequence[str]) -> None:
    """Log training runs, each with a start marker, until they end; if the store fails, only warn.

    It first waits for some seconds, because a short training ends before MLflow is imported.
    """
    if _last_word(seconds) is not None:
        return
    from stages.engine import fold_store
    from stages.files import listed
    from stages.tracking import address, usage
    from stages.tracking.store_errors import StoreError

    # a sweep's processes serve several training runs at once
    watch = usage.watch(usage.path(fingerprints[0])) if len(fingerprints) == 1 else None
    logged: dict[str, list[Path]] = {}  # fingerprint -> folds in the store
    warned, retry_at = False, 0.0
    word = None
    while word is None:
        word = _last_word(POLL)
        if watch:
            next(watch)
        if word is not None:
            signal.alarm(LAST_SECONDS)  # which ends this process
        folds = {each: listed(fold_store.folder(each), "fold-[0-9]*.npz") for each in fingerprints}
        changed = {each: paths for each, paths in folds.items() if logged.get(each) != paths}
        if word is None and not (changed and time.monotonic() > retry_at):
            continue
        try:
            _log(experiment, changed if word is None else folds, word)
            logged |= changed
        except StoreError as error:
            retry_at = time.monotonic() + PAUSE
            if not warned:
                print(
                    f"foldlab: could not show the training in MLflow at {address.shown()}: "
                    f"{error.reason}; training continues, and `publish` will log it.",
                    file=sys.stderr,
                )
            warned = True


def _last_word(seconds: float) -> bytes | None:
    """Wait up to `seconds` for the training's end; return its last word, None while it runs."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 16) if ready else None


def _log(experiment: str, folds: dict[str, list[Path]], word: bytes | None) -> None:
    """Log the training runs (fingerprint -> files of the finished folds)."""
    from stages.engine import fold_store, tracker
    from stages.files import read_json
    from stages.settings.sections import Tracking
    from stages.tracking import record, store
    from stages.train import tables

    with store.opened(Tracking(experiment=experiment), STORE_SECONDS) as client:
        from stages.tracking import runs, unfinished  # MLflow's import takes seconds

        status = {None: "RUNNING", tracker.DONE: "SCHEDULED"}.get(word, "FAILED")
        for fingerprint, paths in folds.items():
            lock = fold_store.lock_path(fingerprint)
            if status == "FAILED" and unfinished.held(lock, 2):
                continue  # another process already resumed it, and logs it
            numbers = sorted(int(path.stem.removeprefix("fold-")) for path in paths)
            loaded = {number: fold_store.load(fingerprint, number) for number in numbers}
            start = read_json(tracker.start_marker(fingerprint))
            finished = {number: fold for number, fold in loaded.items() if fold}
            rows = [
                [dict(zip(columns, cells, strict=True)) for cells in table]
                for columns, table in tables(fingerprint, start["began"], finished).values()
            ]
            runs.show(client, record.unfinished(start, *rows), status, lock)
        unfinished.end_stale(client)
