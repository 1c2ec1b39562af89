"""Run tasks in worker processes on this machine, or through cluster.py on a Ray cluster.

Local workers are reused from call to call, since importing TensorFlow takes seconds; each computes
with one thread. On Linux they are forked from a fork server that has imported TensorFlow, except
on machines with NVIDIA's driver, which does not survive a fork. Workers report epochs by datagrams
on the loopback interface; a lost datagram costs one step of the progress bar and nothing else.
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
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky import process_executor
from joblib.externals.loky.backend import resource_tracker as loky_resource_tracker
from joblib.externals.loky.backend.context import set_start_method
from joblib.externals.loky.process_executor import TerminatedWorkerError

from stages.errors import UserError
from stages.settings.sections import Parallel

# Bytes by which a worker's memory may grow. By default loky ends a worker at 300 MB, which one
# large fold exceeds, and its successor would have to import TensorFlow again.
GROWTH = 2**40
# Raised when a worker or the fork server was killed.
DEATHS = (TerminatedWorkerError, EOFError, ConnectionError)
ORPHAN_SECONDS = 2.0  # interval at which a process checks that its parent is alive
LISTEN_SECONDS = 0.2  # interval at which the listener checks whether to stop
_started = 2  # workers to keep alive with fewer tasks; with 1 this process itself would compute


def run(function: Callable, tasks: Sequence[tuple], jobs: int | None) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task, several at a time.

    Args:
        function: an importable function that depends only on its arguments.
        tasks: tuples of arguments.
        jobs: maximum number of worker processes; None means `optimal_workers`. With 1 the tasks
            run in this process.

    Yields:
        (position of the task, result), in order of completion.

    Raises:
        UserError: after all other tasks are yielded, when a task's worker process died even while
            no other task was running, for example for lack of memory.
    """
    global _started
    size = min(jobs or optimal_workers(len(tasks), joblib.cpu_count()), max(len(tasks), _started))
    if size == 1:
        yield from ((position, function(*task)) for position, task in enumerate(tasks))
        return
    _started = max(_started, size)
    # Send arrays through pipes (max_nbytes=None), not as memory-mapped temporary files: forked
    # workers do not share joblib's resource tracker, so the files would stay until this process
    # ends. Arrays that are memory-mapped already stay so.
    pool = partial(
        joblib.Parallel, backend="loky", return_as="generator_unordered", max_nbytes=None
    )
    if _start_method():
        _start_servers()
    remaining = dict(enumerate(tasks))
    lost = 0
    while remaining:
        dispatched: list[int] = []

        def calls(dispatched: list[int] = dispatched) -> Iterator:
            for position, task in list(remaining.items()):
                dispatched.append(position)
                yield joblib.delayed(_call)(position, function, task)

        try:
            # Dispatch only as many tasks as can start at once, so that calls from other threads
            # need not wait for all of them, and few are suspects when a worker dies.
            for position, result in pool(size, pre_dispatch=size)(calls()):
                del remaining[position]
                yield position, result
        except DEATHS as error:
            if _raised_by_task(error):
                raise
        else:
            break
        suspects = [position for position in dispatched if position in remaining]
        _report_death(len(suspects), len(remaining) - len(suspects))
        for position in suspects:
            result = _retry(pool, position, function, remaining.pop(position))
            if result is None:
                lost += 1
            else:
                yield result
    if lost:
        raise UserError(
            f"the worker processes of {lost} of {len(tasks)} tasks died, possibly out of memory; "
            "the other results are saved: free memory or lower train.batch_size, then run the "
            "same command again."
        )


def _report_death(suspects: int, others: int) -> None:
    print(
        f"foldlab: a worker process died, possibly out of memory; retrying {suspects} unfinished "
        f"tasks one at a time, then running {others} others in parallel.",
        file=sys.stderr,
    )


def _retry(pool: Callable, position: int, function: Callable, task: tuple) -> tuple | None:
    """Run one task by itself, a second time if its worker dies; return None if both die."""
    for _ in range(2):
        try:
            # Ask for two workers: with one, joblib would run the task in this process.
            (result,) = pool(2, pre_dispatch=1)([joblib.delayed(_call)(position, function, task)])
        except DEATHS as error:
            if _raised_by_task(error):
                raise
            time.sleep(1)  # a killed fork server is replaced only once it has exited
        else:
            return result
    return None


def _raised_by_task(error: BaseException) -> bool:
    """Return whether the function itself raised `error`: then it has the worker's traceback."""
    return isinstance(error.__cause__, process_executor._RemoteTraceback)


@cache
def _start_method() -> bool:
    """Choose how workers are started, once per process; return whether they are forked."""
    short = len(tempfile.gettempdir()) < 70  # the path of a Unix socket is limited to 107 bytes
    if sys.platform == "linux" and short and not Path("/proc/driver/nvidia").exists():
        set_start_method("forkserver", force=True)
        multiprocessing.set_forkserver_preload(["stages.engine.preload"])
        return True
    return False


def _start_servers() -> None:
    """Start the processes that fork workers and track their resources, or leave them running."""
    with _interrupts_ignored():
        resource_tracker.ensure_running()
        loky_resource_tracker.ensure_running()
        forkserver.ensure_running()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Have the processes that are started in the block ignore Ctrl-C, which the driver handles.

    They inherit it. Otherwise each of them prints a traceback of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a handler
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def optimal_workers(tasks: int, cores: int) -> int:
    """Return the number of workers that finishes equally long tasks first, at least one per core.

    Two workers on two cores need three rounds for five tasks, with one core idle in the last.
    Three workers that share the cores need the time of two and a half rounds. Extra workers need
    memory, so they are used only if they save a tenth of the time.
    """

    def time(workers: int) -> int:
        full, rest = divmod(tasks, workers)
        return full * max(cores, workers) + (max(cores, rest) if rest else 0)

    best = min(range(cores, 2 * cores), key=time)
    return best if 10 * time(best) <= 9 * time(cores) else cores


def dispatch(
    function: Callable, tasks: Sequence[tuple], parallel: Parallel
) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task, locally or on a cluster; see `run`."""
    if parallel.backend == "ray":
        from stages.engine import cluster

        return cluster.run(function, tasks, parallel)
    return run(function, tasks, parallel.jobs)


def _call(position: int, function: Callable, task: tuple) -> tuple[int, Any]:
    process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH
    end_with_parent(os.getpid())
    return position, function(*task)


@cache  # keyed by process: a forked process inherits the cache, but not the timer
def end_with_parent(process: int) -> None:
    """Make this process exit soon after its parent does.

    Otherwise the workers of a killed driver would run on and keep their memory.

    Args:
        process: the id of this process.
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
        A function from a fold's name to the reporter that its worker calls after each epoch. On
        a cluster, which reports only whole folds, it returns None instead of a reporter.
    """
    if parallel.backend != "local":
        yield lambda name: None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(LISTEN_SECONDS)
        port = receiver.getsockname()[1]
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    show(*json.loads(receiver.recv(1024)))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield lambda name: partial(_report, port, os.getpid(), name)
        finally:
            stop.set()
            listener.join()


def _report(port: int, driver: int, name: str, epoch: int, accuracy: float) -> None:
    if _orphaned(driver):
        os._exit(1)  # nobody would receive the fold
    with suppress(OSError):  # only the report is lost
        _send(json.dumps([name, epoch, accuracy]).encode(), port)


def _orphaned(driver: int) -> bool:
    """Return whether this process is a worker whose driver has exited."""
    if driver in (os.getpid(), os.getppid()):
        return False
    try:
        return not multiprocessing.parent_process().is_alive()
    except ValueError:  # not from the fork server: a direct child that has lost its parent
        return True


def _send(message: bytes, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, ("127.0.0.1", port))
