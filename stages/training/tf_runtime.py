"""Import and configure TensorFlow for reproducible single-threaded work."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stages.settings.sections import Kernels


def import_tensorflow(kernels: Kernels):
    """Return TensorFlow, configured for one thread and deterministic kernels.

    Folds use the cores by running in parallel. With one thread per fold the order of every sum is
    fixed, so results do not depend on the number of workers. Portable kernels are those for AVX2,
    which round alike on all processors that have it. A process uses those of its first computation.
    """
    if kernels == "portable":
        os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    tf = load_tensorflow()
    for device in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError):  # the device is already initialized, with this set
            tf.config.experimental.set_memory_growth(device, True)  # folds may share a GPU
    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    return tf


def load_tensorflow():
    """Import TensorFlow without initializing it: no threads started, no devices opened."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[threads] = "1"  # read when TensorFlow first computes
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # off by default on some processors
    # Keras only wraps these packages; hiding them from it saves 1.1 s and 150 MB.
    hidden = dict.fromkeys({"matplotlib", "pandas", "sklearn"} - sys.modules.keys())
    sys.modules.update(hidden)  # None makes `import` fail as if not installed
    try:
        with quiet():  # on import, TensorFlow's C++ code reports that there is no GPU
            import keras
            import tensorflow as tf
    finally:
        for name in hidden:
            del sys.modules[name]
    # A user's ~/.keras/keras.json may say otherwise; results must not depend on it.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    return tf


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what C++ code prints to stderr: progress, and what an exception says too."""
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)
