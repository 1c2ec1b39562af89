"""Private interfaces of loky and multiprocessing that have no public equivalent."""

import multiprocessing
from multiprocessing import forkserver, resource_tracker

from joblib.externals.loky import process_executor
from joblib.externals.loky.backend import resource_tracker as loky_resource_tracker
from joblib.externals.loky.backend.context import set_start_method
from joblib.externals.loky.process_executor import TerminatedWorkerError

# Raised when a worker or the fork server was killed.
DEATHS = (TerminatedWorkerError, EOFError, ConnectionError)


def let_memory_grow() -> None:
    """Do not replace this worker when its memory grows.

    By default loky ends a worker at 300 MB, which one large fold exceeds, and its successor would
    have to import TensorFlow again.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = 2**40  # bytes


def fork_workers_with(module: str) -> None:
    """Fork workers from a server process that has imported `module`."""
    set_start_method("forkserver", force=True)
    multiprocessing.set_forkserver_preload([module])


def start_servers() -> None:
    """Start the processes that fork workers and track their resources, unless they are running."""
    resource_tracker.ensure_running()
    loky_resource_tracker.ensure_running()
    forkserver.ensure_running()
