"""Fan-out: calls spread over worker processes, of this machine or, by cluster.py, of others.

Workers of this machine stay alive from call to call, since importing TensorFlow costs seconds; each
computes with one thread. On Linux they are forked from one process that has imported it for all of
them, but not where there may be a GPU, whose driver does not survive a fork. Epochs are reported by
a datagram on the loopback interface: a lost one costs a step of the progress bar and nothing else.
"""

import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky import process_executor
from joblib.externals.loky.backend.context import set_start_method
from joblib.externals.loky.process_executor import TerminatedWorkerError

from stages.errors import UserError
from stages.sections import Parallel

# Bytes that a worker may grow by. loky would end it at 300 MB, which one large fold takes, and the
# next would import TensorFlow anew.
GROWTH = 2**40
# What is raised when a worker was killed, or the process that was to fork it.
DEATHS = (TerminatedWorkerError, EOFError, ConnectionError)
ORPHAN_SECONDS = 2.0  # after which a process whose parent is gone ends
LISTEN_SECONDS = 0.2  # after which the listener looks whether it is over
_started = 2  # fewer tasks than workers leave these alive; 1 would compute in this process


def run(function: Callable, tasks: Sequence[tuple], jobs: int | None) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task, several at a time.

    Args:
        function: importable by its name; all that it needs comes in the task.
        tasks: tuples of arguments.
        jobs: worker processes at most; None: what `suited` says. With 1 the caller's process works.

    Yields:
        (position of the task, result), as they end.

    Raises:
        OSError: when tasks kill their worker processes also when they run alone, by lack of memory
            for example. By then all others are yielded.
    """
    global _started
    size = min(jobs or suited(len(tasks), joblib.cpu_count()), max(len(tasks), _started))
    if size == 1:
        yield from ((position, function(*task)) for position, task in enumerate(tasks))
        return
    _started = max(_started, size)
    # Arrays in memory travel through pipes, since files in their stead would stay until the end of
    # this process: forked workers do not share its account of them. Mapped images stay mapped.
    pool = partial(
        joblib.Parallel, backend="loky", return_as="generator_unordered", max_nbytes=None
    )
    _start_method()
    remaining = dict(enumerate(tasks))
    lost = 0
    while remaining:
        begun: list[int] = []

        def calls(begun: list[int] = begun) -> Iterator:
            for position, task in list(remaining.items()):
                begun.append(position)
                yield joblib.delayed(_numbered)(position, function, task)

        try:
            # No more than the workers can begin: a call from another thread need not wait for all,
            # and only these are suspects when a worker dies.
            for position, result in pool(size, pre_dispatch=size)(calls()):
                del remaining[position]
                yield position, result
        except DEATHS as error:
            if _of_the_task(error):
                raise
        else:
            break
        suspects = [position for position in begun if position in remaining]
        _tell(len(suspects), len(remaining) - len(suspects))
        for position in suspects:
            result = _alone(pool, position, function, remaining.pop(position))
            if result is None:
                lost += 1
            else:
                yield result
    if lost:
        raise UserError(
            f"the worker processes of {lost} of {len(tasks)} tasks died, perhaps for lack of "
            "memory; all others are kept, so free memory or lower train.batch_size and run the "
            "same command again."
        )


def _tell(suspects: int, others: int) -> None:
    print(
        f"foldlab: a worker process died, perhaps for lack of memory; {suspects} unfinished "
        f"tasks run again one at a time, then {others} others side by side.",
        file=sys.stderr,
    )


def _alone(pool: Callable, position: int, function: Callable, task: tuple) -> tuple | None:
    """Run one task, twice if its worker dies; return None when it dies both times."""
    for _ in range(2):
        try:
            # of two workers, since one would be this process
            (result,) = pool(2, pre_dispatch=1)(
                [joblib.delayed(_numbered)(position, function, task)]
            )
        except DEATHS as error:
            if _of_the_task(error):
                raise
            time.sleep(1)  # a forking process that was killed is replaced only when it is gone
        else:
            return result
    return None


def _of_the_task(error: BaseException) -> bool:
    """Return whether `error` was raised by the function in its worker, whose traceback it has."""
    return isinstance(error.__cause__, process_executor._RemoteTraceback)


@cache
def _start_method() -> None:
    """Choose, once in a process, how its workers start."""
    short = len(tempfile.gettempdir()) < 70  # a socket there may have a name of 107 characters
    if sys.platform == "linux" and short and not Path("/proc/driver/nvidia").exists():
        set_start_method("forkserver", force=True)
        multiprocessing.set_forkserver_preload(["stages.engine.preload"])


def suited(tasks: int, cores: int) -> int:
    """Return how many workers end so many equal tasks soonest: one a core, or somewhat more.

    Two workers on two cores take three rounds for five tasks, with an idle core in the last. Three
    that share the cores take two and a half. More memory is spent only to save a tenth of the time.
    """

    def time(workers: int) -> int:
        full, rest = divmod(tasks, workers)
        return full * max(cores, workers) + (max(cores, rest) if rest else 0)

    best = min(range(cores, 2 * cores), key=time)
    return best if 10 * time(best) <= 9 * time(cores) else cores


def spread(
    function: Callable, tasks: Sequence[tuple], parallel: Parallel
) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task where `parallel` says; see `run`."""
    if parallel.backend == "ray":
        from stages.engine import cluster

        return cluster.run(function, tasks, parallel)
    return run(function, tasks, parallel.jobs)


def _numbered(position: int, function: Callable, task: tuple) -> tuple[int, Any]:
    process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH
    end_with_parent(os.getpid())
    return position, function(*task)


@cache  # by process: a forked one has this cache too, but no timer yet
def end_with_parent(process: int) -> None:
    """Have this process end soon after the one that started it.

    A killed driver tells nobody, and what it started would keep the memory of TensorFlow.

    Args:
        process: the number of this process.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        return
    parent = os.getppid()
    signal.signal(signal.SIGALRM, lambda *_: parent == os.getppid() or os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, ORPHAN_SECONDS, ORPHAN_SECONDS)


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
        receiver.settimeout(LISTEN_SECONDS)
        port = receiver.getsockname()[1]
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    show(*json.loads(receiver.recv(1024)))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield lambda name: partial(_report, port, os.getpid(), name)
        finally:
            over.set()
            listener.join()


def _report(port: int, driver: int, name: str, epoch: int, accuracy: float) -> None:
    if _orphaned(driver):
        os._exit(1)  # the driver is gone: nobody would take the fold
    with suppress(OSError):  # it is lost
        _send(json.dumps([name, epoch, accuracy]).encode(), port)


def _orphaned(driver: int) -> bool:
    """Return whether this process is a worker whose driver is gone."""
    if driver in (os.getpid(), os.getppid()):
        return False
    try:
        return not multiprocessing.parent_process().is_alive()
    except ValueError:  # not forked, it was the driver's own child
        return True


def _send(message: bytes, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, ("127.0.0.1", port))
