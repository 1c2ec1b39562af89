"""Run tasks in worker processes on this machine; cluster.py runs them on a Ray cluster.

Local workers are reused from call to call, since importing TensorFlow takes seconds; each computes
with one thread. On Linux they are forked from a fork server that has imported TensorFlow, except
on machines with NVIDIA's driver, which does not survive a fork. Workers report epochs by datagrams
on the loopback interface; a lost datagram costs one step of the progress bar and nothing else.
"""

import json
import os
import signal
import socket
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import joblib

from stages.engine import loky_internals
from stages.engine.loky_internals import DEATHS
from stages.errors import UserError

ORPHAN_SECONDS = 2.0  # interval at which a process checks that its parent is alive
_started = 2  # workers to keep alive even with fewer tasks; with 1, this process would compute


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
            no other task was running, for example because it ran out of memory.
    """
    global _started
    if not tasks:
        return  # without starting servers
    size = min(jobs or optimal_workers(len(tasks), joblib.cpu_count()), max(len(tasks), _started))
    if size == 1:
        yield from ((position, function(*task)) for position, task in enumerate(tasks))
        return
    _started = max(_started, size)
    if _are_forked():
        _start_servers()
    remaining = dict(enumerate(tasks))
    lost = 0
    while remaining:
        suspects = yield from _run_until_death(function, remaining, size)
        if suspects:
            print(
                "foldlab: a worker process died, possibly out of memory; retrying "
                f"{len(suspects)} unfinished tasks one at a time, then running "
                f"{len(remaining) - len(suspects)} others in parallel.",
                file=sys.stderr,
            )
        for position in suspects:
            single = {position: remaining.pop(position)}
            # Twice, and with two workers: with one, joblib would compute in this process.
            if (yield from _run_until_death(function, single, 2)):
                lost += len((yield from _run_until_death(function, single, 2)))
    if lost:
        raise UserError(
            f"the worker processes of {lost} of {len(tasks)} tasks died, possibly out of memory; "
            "the other results are saved: free memory or lower train.batch_size, then run the "
            "same command again."
        )


def _run_until_death(
    function: Callable, remaining: dict[int, tuple], size: int
) -> Generator[tuple[int, Any], None, list[int]]:
    """Yield results as `run` does, and remove their tasks from `remaining`.

    Returns:
        The positions of the unfinished tasks that were given to workers when one of them died.
    """
    dispatched = []

    def calls() -> Iterator:
        for position, task in list(remaining.items()):
            dispatched.append(position)
            yield joblib.delayed(_call)(position, function, task)

    # pre_dispatch: only as many tasks as can start at once, so that calls from other threads need
    # not wait for all of them, and few are suspects when a worker dies. max_nbytes: send arrays
    # through pipes. Memory-mapped temporary files would stay until this process ends, because
    # forked workers do not share joblib's resource tracker. Arrays that are already memory-mapped
    # are sent as such.
    options = {"return_as": "generator_unordered", "pre_dispatch": size, "max_nbytes": None}
    try:
        for position, result in joblib.Parallel(size, backend="loky", **options)(calls()):
            del remaining[position]
            yield position, result
    except DEATHS as error:
        if "raised_by_task" in vars(error):
            raise
        time.sleep(1)  # a killed fork server is replaced only once it has exited
    return [position for position in dispatched if position in remaining]


def _call(position: int, function: Callable, task: tuple) -> tuple[int, Any]:
    loky_internals.let_memory_grow()
    end_with_parent(os.getpid())
    try:
        return position, function(*task)
    except DEATHS as error:
        vars(error)["raised_by_task"] = True  # not caused by the death of a process
        raise


@cache
def _are_forked() -> bool:
    """Choose how workers are started, once per process; return whether they are forked."""
    short = len(tempfile.gettempdir()) < 70  # the path of a Unix socket is limited to 107 bytes
    if sys.platform == "linux" and short and not Path("/proc/driver/nvidia").exists():
        loky_internals.fork_workers_with("stages.engine.preload")
        return True
    return False


def _start_servers() -> None:
    """Start the servers while Ctrl-C is ignored, since only the driver should handle it.

    They inherit this setting. Otherwise each of them would print its own traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        loky_internals.start_servers()  # only the main thread may set a handler
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        loky_internals.start_servers()
    finally:
        signal.signal(signal.SIGINT, before)


@cache  # keyed by process: a forked process inherits the cache, but not the timer
def end_with_parent(process: int) -> None:
    """Make this process, whose id is `process`, exit soon after its parent does.

    Otherwise the workers of a killed driver would keep running and hold their memory.
    """
    parent = os.getppid()
    signal.signal(signal.SIGALRM, lambda *_: parent == os.getppid() or os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, ORPHAN_SECONDS, ORPHAN_SECONDS)


def optimal_workers(tasks: int, cores: int) -> int:
    """Return the number of workers that finishes equally long tasks soonest, at least one per core.

    On two cores, three workers finish five tasks in the time of 2.5, and two workers in that of 3,
    because one core idles at the end. Extra workers need memory, so they must save at least a tenth
    of the time.
    """

    def time(workers: int) -> int:
        full, rest = divmod(tasks, workers)
        return full * max(cores, workers) + (max(cores, rest) if rest else 0)

    best = min(range(cores, 2 * cores), key=time)
    return best if 10 * time(best) <= 9 * time(cores) else cores


@contextmanager
def listening(show: Callable[[str, int, float], None]) -> Iterator[Callable]:
    """Yield a function that workers call to have `show(name, epoch, accuracy)` called here."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            show(*json.loads(self.request[0]))

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()
        try:
            yield partial(_report, server.server_address)
        finally:
            server.shutdown()
            server.socket.setblocking(False)
            with suppress(BlockingIOError):  # read what the server has left unread
                while True:
                    show(*json.loads(server.socket.recv(server.max_packet_size)))


def _report(address: Any, name: str, epoch: int, accuracy: float) -> None:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(json.dumps([name, epoch, accuracy]).encode(), address)
