"""Import TensorFlow in the fork server, so that workers forked from it have it already."""

import atexit
import gc
import os

DRIVER, SERVER = os.getppid(), os.getpid()  # before imports, which take seconds

from stages.engine.workers import end_with_parent  # noqa: E402
from stages.training.starting import load_tensorflow  # noqa: E402


def _end_without_driver() -> None:
    """End the server instead of forking a worker for a driver that was interrupted meanwhile."""
    if os.getpid() == SERVER and os.getppid() != DRIVER:
        os._exit(1)


load_tensorflow()
end_with_parent(SERVER)
os.register_at_fork(
    before=_end_without_driver,
    after_in_child=lambda: end_with_parent(os.getpid()),  # also for workers that stay idle
)
gc.freeze()  # exclude TensorFlow's objects from the collections that Keras' clear_session triggers
atexit.register(os._exit, 0)  # skip TensorFlow's orderly shutdown, which takes a second
