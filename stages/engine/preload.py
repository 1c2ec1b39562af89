"""Imported by the process from which local workers are forked, so that they have TensorFlow."""

import atexit
import gc
import os

from stages.engine.workers import end_with_parent
from stages.training.starting import load_tensorflow

load_tensorflow()
end_with_parent(os.getpid())
os.register_at_fork(after_in_child=lambda: end_with_parent(os.getpid()))  # idle workers too
gc.freeze()  # no worker looks for garbage here again: Keras' clear_session has it looked for
atexit.register(os._exit, 0)  # TensorFlow takes a second to be taken down in order
