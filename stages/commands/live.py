"""`python -m stages live SECONDS EXPERIMENT MARK,...`: show trainings while they run.

`train` and `sweep` start it beside themselves; the folds that they keep are its queue. Its input
ends when the training does: after the word "done" in order, without it because it was killed.
"""

import os
import sys
import threading
import time

POLL = 0.5  # s between looks at the folders of kept folds
PAUSE = 20.0  # s before a store that has failed is tried again
STORE_SECONDS = 10.0  # what a server may take for one look
LAST_SECONDS = 20.0  # after the training's end; what is not shown by then publish will show


def live(seconds: float, experiment: str, marks: list[str]) -> None:
    """Show trainings in MLflow until they end; a store that fails costs a warning.

    Args:
        seconds: how long a training must last to be shown at all: a short one is over before
            MLflow is imported.
        experiment: the name of MLflow's experiment.
        marks: the fingerprints of announced trainings.
    """
    over = threading.Event()
    said: list[bytes] = []
    threading.Thread(target=_listen, args=(said, over), daemon=True).start()
    if over.wait(seconds):
        return
    seen: dict[str, dict] = {mark: {} for mark in marks}  # the folds of each
    shown: dict[str, int] = {}  # how many of them the store has
    warned, again = False, 0.0
    while True:
        ended = over.wait(POLL)
        if ended:
            threading.Thread(target=_give_up, daemon=True).start()
        for mark, folds in seen.items():
            _look(mark, folds)
        news = [mark for mark, folds in seen.items() if ended or shown.get(mark) != len(folds)]
        if news and (ended or time.monotonic() > again):
            try:
                _show(experiment, {mark: seen[mark] for mark in news}, ended, said)
                shown |= {mark: len(seen[mark]) for mark in news}
            except Exception as error:
                from stages.tracking import store

                if not store.failed(error):
                    raise
                again = time.monotonic() + PAUSE
                if not warned:
                    _warn(error)
                warned = True
        if ended:
            return


def _listen(said: list[bytes], over: threading.Event) -> None:
    while word := os.read(sys.stdin.fileno(), 16):
        said.append(word)
    over.set()


def _give_up() -> None:
    time.sleep(LAST_SECONDS)
    os._exit(1)


def _look(mark: str, folds: dict) -> None:
    """Add the folds that were kept since to `folds`, without their weights."""
    from stages.engine import fold_store
    from stages.files import listed

    for path in listed(fold_store.folder(mark), "fold-[0-9]*.npz"):
        number = int(path.stem.removeprefix("fold-"))
        if number not in folds and (record := fold_store.load(mark, number)):
            folds[number] = record._replace(weights=[])


def _show(experiment: str, trainings: dict[str, dict], ended: bool, said: list[bytes]) -> None:
    from stages.files import read_json
    from stages.live import DONE, lock, ticket
    from stages.tracking import store

    with store.opened(experiment, STORE_SECONDS) as (client, experiment_id):
        from stages.tracking import live as tracked  # it imports MLflow, which takes seconds
        from stages.tracking import unfinished

        last = tracked.TRAINED if DONE in said else tracked.FAILED
        status = last if ended else tracked.RUNNING
        for mark, folds in trainings.items():
            if status == tracked.FAILED and unfinished.held(lock(mark)):
                continue  # somebody trains on already, and shows it
            content = read_json(ticket(mark))
            record = tracked.read(content, *_tables(content, mark, folds))
            tracked.show(client, experiment_id, record, status, lock(mark))
        unfinished.fail_stale(client)


def _tables(content: dict, mark: str, folds: dict) -> list[list[dict]]:
    """Return the rows of the tables that the training would write now."""
    from stages.train import tables

    written = tables(mark, content["began"], dict(sorted(folds.items()))).values()
    return [[dict(zip(columns, row, strict=True)) for row in rows] for columns, rows in written]


def _warn(error: Exception) -> None:
    from stages.tracking import store

    print(
        f"foldlab: the training is not shown in MLflow at {store.safe(store.location())} for now: "
        f"{store.why(error)}; it goes on, and publishing completes MLflow.",
        file=sys.stderr,
    )
