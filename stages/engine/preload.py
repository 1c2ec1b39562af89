"""Import TensorFlow in the fork server, so that the workers forked from it already have it."""

import atexit
import gc
import os
import sys
import time

DRIVER, SERVER = os.getppid(), os.getpid()  # before imports, which take seconds

import psutil  # noqa: E402

from stages.engine.workers import end_with_parent  # noqa: E402
from stages.training.tf_runtime import load_tensorflow  # noqa: E402


def _before_fork() -> None:
    if os.getpid() == SERVER and os.getppid() != DRIVER:
        os._exit(1)  # the driver was interrupted while this process imported TensorFlow


def _in_worker() -> None:
    end_with_parent(os.getpid())  # here for workers that stay idle
    sys.excepthook = _report_unless_abandoned


def _report_unless_abandoned(*error) -> None:
    """Print a traceback, unless the worker failed because the driver was just interrupted."""
    for _ in range(50):  # on a busy machine the driver takes seconds to exit
        try:
            if psutil.Process(SERVER).ppid() != DRIVER:  # the server has another parent
                return
        except psutil.NoSuchProcess:  # the server is gone too
            return
        time.sleep(0.1)
    sys.__excepthook__(*error)


load_tensorflow()
end_with_parent(SERVER)
os.register_at_fork(before=_before_fork, after_in_child=_in_worker)
gc.freeze()  # exclude TensorFlow's objects from the collections that Keras' clear_session triggers
atexit.register(os._exit, 0)  # skip TensorFlow's orderly shutdown, which takes a second
