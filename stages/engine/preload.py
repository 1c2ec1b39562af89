"""Import TensorFlow in the process that local workers are forked from, so that they have it."""

import atexit
import gc
import os

from stages.engine.workers import end_with_parent
from stages.training.starting import load_tensorflow

load_tensorflow()
end_with_parent(os.getpid())
os.register_at_fork(after_in_child=lambda: end_with_parent(os.getpid()))  # idle workers too
gc.freeze()  # exclude TensorFlow's objects from the collections that Keras' clear_session triggers
atexit.register(os._exit, 0)  # skip TensorFlow's orderly shutdown, which takes a second
