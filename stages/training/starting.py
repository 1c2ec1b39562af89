"""TensorFlow's start in a process: how it is imported, and what it is told before it computes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def import_tensorflow():
    """Return TensorFlow, told to use one thread and the same kernels in the same order each time.

    Folds share the cores by running side by side. One thread a fold also fixes the order of
    every sum, so the number of workers cannot change a result.
    """
    tf = load_tensorflow()
    for device in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError):  # the device is in use already: it has been set before
            tf.config.experimental.set_memory_growth(device, True)  # folds may share a GPU
    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    return tf


def load_tensorflow():
    """Return TensorFlow, imported but not started: it has started no thread, and seen no device."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[threads] = "1"  # read when TensorFlow computes for the first time
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # on some processors it is off by itself
    with _stderr_silent(), _hidden("matplotlib", "pandas", "sklearn"):
        import keras  # noqa: F401 - prints the same
        import tensorflow as tf
    return tf


@contextmanager
def _stderr_silent() -> Iterator[None]:
    """Keep TensorFlow's library from telling every worker's user that there is no GPU."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """Keep Keras from importing what it only has wrappers for: a third of its import's time."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: as if it were not installed
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
