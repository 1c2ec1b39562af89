"""Fan-out: calls spread over worker processes. The one place that knows an engine.

Workers stay alive from call to call, since importing TensorFlow costs seconds; each computes with
one thread. Epochs are reported by a datagram on the loopback interface: a lost one costs a step of
the progress bar and nothing else.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError


def run(function: Callable, tasks: Sequence[tuple], jobs: int | None) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task, several at a time.

    Args:
        function: importable by its name; all that it needs comes in the task.
        tasks: tuples of arguments.
        jobs: worker processes at most; None: one per core.

    Yields:
        (position of the task, result), as they end.

    Raises:
        RuntimeError: when a worker process dies, by lack of memory for example. What was yielded
            before is not lost.
    """
    pool = joblib.Parallel(
        n_jobs=min(jobs or joblib.cpu_count(), max(len(tasks), 1)),
        backend="loky",
        return_as="generator_unordered",
    )
    calls = (
        joblib.delayed(_numbered)(position, function, task) for position, task in enumerate(tasks)
    )
    try:
        yield from pool(calls)
    except TerminatedWorkerError:
        raise RuntimeError(
            "a worker process died, perhaps for lack of memory; finished folds are kept, "
            "so free memory or lower parallel.jobs and run the same command again."
        ) from None


def _numbered(position: int, function: Callable, task: tuple) -> tuple[int, Any]:
    return position, function(*task)


@contextmanager
def listening(show: Callable[[int, int, float], None]) -> Iterator[Callable]:
    """Call `show(fold, epoch, accuracy)` for every epoch reported while the block runs.

    Yields:
        A function from a fold's number to the reporter that its worker calls after each epoch.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]

        def listen() -> None:
            while message := receiver.recv(1024):
                show(*json.loads(message))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield lambda fold: partial(_report, port, os.getpid(), fold)
        finally:
            _send(b"", port)  # an empty message ends the listener
            listener.join()


def _report(port: int, driver: int, fold: int, epoch: int, accuracy: float) -> None:
    if driver not in (os.getpid(), os.getppid()):
        os._exit(1)  # the driver is gone: nobody would take the fold
    _send(json.dumps([fold, epoch, accuracy]).encode(), port)


def _send(message: bytes, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, ("127.0.0.1", port))
