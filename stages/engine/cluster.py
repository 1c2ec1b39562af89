"""Run tasks on a Ray cluster: the counterpart of `workers.run` for `parallel.backend: ray`.

Workers need neither the repository nor the tracker. Arrays, recipes and tuples are sent once,
through Ray's object store, and the package `stages` as a module with the job. The libraries of
requirements.txt must be installed on the nodes, in the driver's versions. Ray retries a task whose
process or node died. Only the driver writes files.
"""

import itertools
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from stages.engine import hardware
from stages.engine.environment import LIBRARIES, versions
from stages.errors import UserError
from stages.settings.sections import Kernels, Parallel
from stages.training.recipe import Recipe

RETRIES = 3  # for a task whose process or node died; exceptions are not retried
TIMEOUT_SECONDS = 5.0  # for connecting to the address
LARGE = (np.ndarray, tuple, Recipe)  # of a task's parts; a recipe may have a saved model's content
SAME_VERSION = (*LIBRARIES, "pydantic")  # pydantic pickles the settings


def run(
    function: Callable, tasks: Sequence[tuple], parallel: Parallel, setting: Kernels = "portable"
) -> Iterator[tuple[int, Any]]:
    """Call `function(*task)` for every task on a cluster; see `stages.engine.workers.run`.

    `setting` is `train.kernels`: each node must compute with the kernels of the driver, as results
    record only these.

    Raises:
        UserError: when Ray is not installed, when there is no cluster at the address, when a node's
            versions or kernels differ from the driver's, or, after all other tasks are yielded,
            when a task's processes died on every attempt.
    """
    if not tasks:
        return  # without connecting
    ray = connect(parallel)
    call = ray.remote(_call).options(
        num_cpus=parallel.cpus_per_fold, num_gpus=parallel.gpus_per_fold, max_retries=RETRIES
    )
    needed = _node(setting)
    large = {id(part): part for task in tasks for part in task if isinstance(part, LARGE)}
    stored = {
        key: ray.put(np.asarray(part) if isinstance(part, np.ndarray) else part)
        for key, part in large.items()
    }
    remaining = iter(enumerate(tasks))
    running: dict[Any, int] = {}  # Ray's reference -> position
    lost = 0
    try:
        while True:
            free = (parallel.jobs or len(tasks)) - len(running)
            for position, task in itertools.islice(remaining, free):
                arguments = [stored.get(id(part), part) for part in task]
                running[call.remote(function, setting, needed, *arguments)] = position
            if not running:
                break
            (done,), _ = ray.wait(list(running), num_returns=1)
            position = running.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error  # `error` has the worker's traceback
            except ray.exceptions.RayError:
                lost += 1
            else:
                yield position, result
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
    if lost:
        raise UserError(
            f"the worker processes of {lost} of {len(tasks)} tasks died {RETRIES + 1} times, "
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
    try:
        if parallel.address and parallel.address != "auto":
            # Where nothing listens, Ray itself would retry for half a minute.
            host, _, port = parallel.address.removeprefix("ray://").rpartition(":")
            if not host or not port.isdecimal():
                raise ValueError("use HOST:PORT of its head node, or ray://HOST:PORT of its server")
            socket.create_connection((host, int(port)), TIMEOUT_SECONDS).close()
        ray.init(
            address=parallel.address or "local",
            runtime_env={"py_modules": [str(Path(__file__).parents[1])]},
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"could not connect to a Ray cluster at parallel.address {parallel.address!r} "
            f"({reason}); start one with ray start --head, or set parallel.backend to local."
        ) from None
    return ray


def _node(setting: Kernels) -> dict[str, str]:
    """Return what must be the same on all nodes: versions, and the kernels with this setting."""
    return versions(SAME_VERSION) | {"kernels": hardware.kernels(setting)}


def _call(function: Callable, setting: Kernels, needed: dict[str, str], *arguments: Any) -> Any:
    """Call `function` on a worker after comparing its versions and kernels with the driver's."""
    for name, found in _node(setting).items():
        if found != needed[name]:
            advice = (
                "use nodes like the driver, or train.kernels: portable on processors with AVX2."
                if name == "kernels"
                else "install that version: pip install -r requirements.txt -c constraints.txt."
            )
            raise UserError(
                f"node {socket.gethostname()} has {name} {found}, but the driver has "
                f"{needed[name]}; {advice}"
            )
    return function(*arguments)
