"""`python -m stages live SECONDS EXPERIMENT FINGERPRINT,...`: log trainings while they run.

`train` and `sweep` start it. It polls the fold store for finished folds. Its input ends when the
training does: after the word "done", or without it if the training was killed.
"""

import os
import sys
import threading
import time

POLL = 0.5  # s between looks at the fold store
PAUSE = 20.0  # s before the next try after the store failed
STORE_SECONDS = 10.0  # time limit for a server, per look
LAST_SECONDS = 20.0  # after the training's end; `publish` logs what is missing by then


def live(seconds: float, experiment: str, fingerprints: list[str]) -> None:
    """Log trainings to MLflow until they end; if the store fails, only warn.

    Args:
        seconds: how long to wait first: a short training ends before MLflow is imported.
        experiment: the name of MLflow's experiment.
        fingerprints: of trainings that have a start marker.
    """
    over = threading.Event()
    received: list[bytes] = []
    threading.Thread(target=_listen, args=(received, over), daemon=True).start()
    if over.wait(seconds):
        return
    folds: dict[str, dict] = {fingerprint: {} for fingerprint in fingerprints}
    logged: dict[str, int] = {}  # number of folds in the store
    warned, retry_at = False, 0.0
    while True:
        ended = over.wait(POLL)
        if ended:
            threading.Thread(target=_exit_late, daemon=True).start()
        for fingerprint, known in folds.items():
            _load_new(fingerprint, known)
        changed = {
            fingerprint: known
            for fingerprint, known in folds.items()
            if ended or logged.get(fingerprint) != len(known)
        }
        if changed and (ended or time.monotonic() > retry_at):
            try:
                _log(experiment, changed, ended, received)
                logged |= {fingerprint: len(known) for fingerprint, known in changed.items()}
            except Exception as error:
                from stages.tracking import store

                if not store.failed(error):
                    raise
                retry_at = time.monotonic() + PAUSE
                if not warned:
                    _warn(error)
                warned = True
        if ended:
            return


def _listen(received: list[bytes], over: threading.Event) -> None:
    while word := os.read(sys.stdin.fileno(), 16):
        received.append(word)
    over.set()


def _exit_late() -> None:
    time.sleep(LAST_SECONDS)
    os._exit(1)


def _load_new(fingerprint: str, folds: dict) -> None:
    """Add newly finished folds to `folds`, without their weights."""
    from stages.engine import fold_store
    from stages.files import listed

    for path in listed(fold_store.folder(fingerprint), "fold-[0-9]*.npz"):
        number = int(path.stem.removeprefix("fold-"))
        if number not in folds and (record := fold_store.load(fingerprint, number)):
            folds[number] = record._replace(weights=[])


def _log(experiment: str, trainings: dict[str, dict], ended: bool, received: list[bytes]) -> None:
    from stages.engine.tracker import DONE, lock, start_marker
    from stages.files import read_json
    from stages.tracking import store

    with store.opened(experiment, STORE_SECONDS) as (client, experiment_id):
        from stages.tracking import progress as tracked  # MLflow's import takes seconds
        from stages.tracking import unfinished

        final = tracked.TRAINED if DONE in received else tracked.FAILED
        status = final if ended else tracked.RUNNING
        for fingerprint, folds in trainings.items():
            if status == tracked.FAILED and unfinished.held(lock(fingerprint), 2):
                continue  # another process already resumed it, and logs it
            marker = read_json(start_marker(fingerprint))
            record = tracked.read(marker, *_tables(marker, folds))
            tracked.show(client, experiment_id, record, status, lock(fingerprint))
        unfinished.fail_stale(client)


def _tables(marker: dict, folds: dict) -> list[list[dict]]:
    """Return the rows of folds.csv, history.csv and timing.csv for the finished folds."""
    from stages.train import tables

    written = tables(marker["fingerprint"], marker["began"], dict(sorted(folds.items()))).values()
    return [[dict(zip(columns, row, strict=True)) for row in rows] for columns, rows in written]


def _warn(error: Exception) -> None:
    from stages.tracking import store

    print(
        f"foldlab: could not show the training in MLflow at {store.safe(store.location())}: "
        f"{store.why(error)}; training goes on, and `publish` will log it.",
        file=sys.stderr,
    )
