"""Run tasks on a Ray cluster: the counterpart of `workers.run` for `parallel.backend: ray`.

Workers need neither the repository nor the tracker. Arrays are sent once, through Ray's object
store, and the package `stages` as a module of the job. The libraries of requirements.txt must be
installed on the nodes, in the driver's versions. Ray retries a task whose process or node died.
Only the driver writes files.
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
from stages.settings.sections import Parallel

RETRIES = 3  # for a task whose process or node died; exceptions are not retried
TIMEOUT_SECONDS = 5.0  # for connecting to the address
SAME_VERSION = ("tensorflow", "keras", "numpy", "pydantic")  # pydantic pickles the settings


def run(
    function: Callable, tasks: Sequence[tuple], parallel: Parallel
) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task on a cluster; see `stages.engine.workers.run`.

    Raises:
        UserError: when Ray is not installed, when there is no cluster at the address, when a node's
            versions differ from the driver's, or, after all other tasks are yielded, when a
            task's processes died on every attempt.
    """
    if not tasks:
        return  # do not connect for nothing
    ray = connect(parallel)
    call = ray.remote(_call).options(
        num_cpus=parallel.cpus_per_fold, num_gpus=parallel.gpus_per_fold, max_retries=RETRIES
    )
    needed = versions()
    stored: dict[int, tuple[np.ndarray, Any]] = {}  # holds the array, so that its id stays unique
    waiting: dict[Any, int] = {}
    lost: list[int] = []

    def by_reference(argument: Any) -> Any:
        if not isinstance(argument, np.ndarray):
            return argument
        if id(argument) not in stored:
            stored[id(argument)] = argument, ray.put(np.asarray(argument))
        return stored[id(argument)][1]

    remaining = iter(enumerate(tasks))
    try:
        while True:
            free = (parallel.jobs or len(tasks)) - len(waiting)
            for position, task in itertools.islice(remaining, free):
                arguments = [by_reference(argument) for argument in task]
                waiting[call.remote(function, needed, *arguments)] = position
            if not waiting:
                break
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            position = waiting.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error  # `error` has the worker's traceback
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
            "possibly out of memory; the other results are saved: increase parallel.cpus_per_fold "
            "or use larger nodes, then run the same command again."
        )


def connect(parallel: Parallel) -> ModuleType:
    """Return Ray, connected to the cluster at `parallel.address` or to a new local one.

    Raises:
        UserError: when Ray is not installed, or there is no compatible cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # `run` raises the first error
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "parallel.backend is ray, but Ray is not installed; run "
            "pip install -r requirements-cluster.txt -c constraints.txt, or choose local."
        ) from None
    if ray.is_initialized():
        return ray
    if parallel.address and parallel.address != "auto":
        _check_reachable(parallel.address)
    try:
        ray.init(
            address=parallel.address or "local",
            runtime_env={"py_modules": [str(Path(__file__).parents[1])]},
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"could not connect to a Ray cluster at parallel.address {parallel.address!r} "
            f"({reason}); start one, or set parallel.backend to local."
        ) from None
    return ray


def versions() -> dict[str, str]:
    """Return the versions that must match between workers and driver; Python's as major.minor."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {name: version(name) for name in SAME_VERSION}


def _call(function: Callable, needed: dict[str, str], *arguments: Any) -> Any:
    """Call `function` on a worker after comparing its versions with the driver's."""
    for name, installed in versions().items():
        if installed != needed[name]:
            raise UserError(
                f"node {socket.gethostname()} has {name} {installed}, but the driver has "
                f"{needed[name]}; install the same version there: "
                "pip install -r requirements.txt -c constraints.txt."
            )
    return function(*arguments)


def _check_reachable(address: str) -> None:
    """Reject an address where nothing listens; Ray itself would retry for half a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(
            f"parallel.address is {address!r}; use HOST:PORT of the cluster's head node, "
            "ray://HOST:PORT of its client server, or null for this machine only."
        )
    try:
        socket.create_connection((host, int(port)), TIMEOUT_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"could not connect to parallel.address {address!r} ({error}); start the cluster (ray "
            "start --head), or set parallel.backend to local."
        ) from None
