"""Fan-out over a Ray cluster: what `workers.run` does when `parallel.backend` is ray.

A task travels with all that it needs: arrays once through Ray's object store, the package `stages`
as a module of the job. Workers need the libraries that requirements.txt names, in the driver's
versions, and neither the repository nor the tracker. Ray runs a task again whose process or node
died; results come to the driver, which alone writes files.
"""

import itertools
import os
import platform
import socket
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from stages.errors import UserError
from stages.sections import Parallel

RETRIES = 3  # for a task whose process or node died; one that raises is not tried again
SECONDS = 5.0  # to reach the address
SAME = ("tensorflow", "keras", "numpy", "pydantic")  # pydantic, because settings travel


def run(
    function: Callable, tasks: Sequence[tuple], parallel: Parallel
) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task on a cluster; see `stages.engine.workers.run`.

    Raises:
        UserError: when Ray is not installed, or a node has other versions than the driver.
        OSError: when there is no cluster at the address, or a task's processes died again and
            again; by then all other tasks are yielded.
    """
    if not tasks:
        return  # no cluster is needed to find all done
    ray = connect(parallel)
    call = ray.remote(_call).options(
        num_cpus=parallel.cpus_per_fold, num_gpus=parallel.gpus_per_fold, max_retries=RETRIES
    )
    needed = versions()
    stored: dict[int, tuple[np.ndarray, Any]] = {}  # the array is held, so its id stays its own
    waiting: dict[Any, int] = {}
    lost: list[int] = []

    def by_reference(argument: Any) -> Any:
        if not isinstance(argument, np.ndarray):
            return argument
        if id(argument) not in stored:
            stored[id(argument)] = argument, ray.put(np.asarray(argument))
        return stored[id(argument)][1]

    left = iter(enumerate(tasks))
    try:
        while True:
            room = (parallel.jobs or len(tasks)) - len(waiting)
            for position, task in itertools.islice(left, room):
                arguments = [by_reference(argument) for argument in task]
                waiting[call.remote(function, needed, *arguments)] = position
            if not waiting:
                break
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            position = waiting.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error  # which has the worker's traceback
            except ray.exceptions.RayError:
                lost.append(position)
            else:
                yield position, result
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
    if lost:
        raise UserError(
            f"the worker processes of {len(lost)} of {len(tasks)} tasks died {RETRIES + 1} times, "
            "perhaps for lack of memory; all others are kept, so give parallel.cpus_per_fold a "
            "larger share of a node, or larger nodes, and run the same command again."
        )


def connect(parallel: Parallel) -> ModuleType:
    """Return Ray, connected to the cluster at `parallel.address`, or to one started here.

    Raises:
        UserError: when Ray is not installed.
        OSError: when nothing answers at the address, or not as this Ray does.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # the first error is told, once
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "parallel.backend is ray, which is not installed; run "
            "pip install -r requirements-cluster.txt -c constraints.txt, or choose local."
        ) from None
    if ray.is_initialized():
        return ray
    if parallel.address and parallel.address != "auto":
        _reach(parallel.address)
    try:
        ray.init(
            address=parallel.address or "local",
            runtime_env={"py_modules": [str(Path(__file__).parents[1])]},
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise UserError(
            f"parallel.address {parallel.address!r} gives no Ray cluster ({said}); start one, or "
            "set parallel.backend to local."
        ) from None
    return ray


def versions() -> dict[str, str]:
    """Return what a worker must have in the driver's version: Python's first two numbers too."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {name: version(name) for name in SAME}


def _call(function: Callable, needed: dict[str, str], *arguments: Any) -> Any:
    """Call `function` on a worker, unless the worker's libraries are others than the driver's."""
    for name, here in versions().items():
        if here != needed[name]:
            raise UserError(
                f"the node {socket.gethostname()} has {name} {here}, the driver {needed[name]}; "
                "install the same there: pip install -r requirements.txt -c constraints.txt."
            )
    return function(*arguments)


def _reach(address: str) -> None:
    """Refuse an address where nothing listens; Ray itself would try for half a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(
            f"parallel.address is {address!r}; give HOST:PORT of the cluster's head, "
            "ray://HOST:PORT of its client server, or null for this machine alone."
        )
    try:
        socket.create_connection((host, int(port)), SECONDS).close()
    except OSError as error:
        raise UserError(
            f"nothing answers at parallel.address {address!r} ({error}); start the cluster (ray "
            "start --head), or set parallel.backend to local."
        ) from None
