"""Fan-out: calls spread over worker processes, of this machine or, by cluster.py, of others.

Workers of this machine stay alive from call to call, since importing TensorFlow costs seconds; each
computes with one thread. Epochs are reported by a datagram on the loopback interface: a lost one
costs a step of the progress bar and nothing else.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import joblib
from joblib.externals.loky import process_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from stages.sections import Parallel

# Bytes that a worker may grow by. loky would end it at 300 MB, which one large fold takes, and the
# next would import TensorFlow anew.
GROWTH = 2**40
_started = 2  # fewer tasks than workers leave these alive; 1 would compute in this process


def run(function: Callable, tasks: Sequence[tuple], jobs: int | None) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task, several at a time.

    Args:
        function: importable by its name; all that it needs comes in the task.
        tasks: tuples of arguments.
        jobs: worker processes at most; None: one per core. With 1 the caller's process works.

    Yields:
        (position of the task, result), as they end.

    Raises:
        OSError: when tasks kill their worker processes also when they run alone, by lack of memory
            for example. By then all others are yielded.
    """
    calls = {
        position: joblib.delayed(_numbered)(position, function, task)
        for position, task in enumerate(tasks)
    }
    pool = partial(joblib.Parallel, backend="loky", return_as="generator_unordered")
    global _started
    size = min(jobs or joblib.cpu_count(), max(len(tasks), _started))
    _started = max(_started, size)
    try:
        for position, result in pool(size)(list(calls.values())):
            del calls[position]
            yield position, result
        return
    except TerminatedWorkerError:
        pass  # it took the tasks of all workers with it; one at a time shows whose fault it was
    lost = 0
    for call in calls.values():
        try:
            yield from pool(2, pre_dispatch=1)([call])  # 1 would run it in this process
        except TerminatedWorkerError:
            lost += 1
    if lost:
        raise OSError(
            f"the worker processes of {lost} of {len(tasks)} tasks died, perhaps for lack of "
            "memory; all others are kept, so free memory or lower train.batch_size and run the "
            "same command again."
        )


def spread(
    function: Callable, tasks: Sequence[tuple], parallel: Parallel
) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task where `parallel` says; see `run`."""
    if parallel.backend == "ray":
        from stages.training import cluster

        return cluster.run(function, tasks, parallel)
    return run(function, tasks, parallel.jobs)


def _numbered(position: int, function: Callable, task: tuple) -> tuple[int, Any]:
    process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH
    return position, function(*task)


@contextmanager
def listening(
    show: Callable[[str, int, float], None], parallel: Parallel
) -> Iterator[Callable[[str], Callable | None]]:
    """Call `show(name, epoch, accuracy)` for every epoch reported while the block runs.

    Yields:
        A function from a fold's name to the reporter that its worker calls after each epoch; None
        where workers may be on other machines, which report whole folds.
    """
    if parallel.backend != "local":
        yield lambda name: None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]

        def listen() -> None:
            while message := receiver.recv(1024):
                show(*json.loads(message))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield lambda name: partial(_report, port, os.getpid(), name)
        finally:
            with suppress(OSError):  # a machine without loopback interface: nothing was heard
                _send(b"", port)  # an empty message ends the listener
                listener.join()


def _report(port: int, driver: int, name: str, epoch: int, accuracy: float) -> None:
    if driver not in (os.getpid(), os.getppid()):
        os._exit(1)  # the driver is gone: nobody would take the fold
    with suppress(OSError):  # it is lost
        _send(json.dumps([name, epoch, accuracy]).encode(), port)


def _send(message: bytes, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, ("127.0.0.1", port))
