"""Import TensorFlow in the fork server, so that workers forked from it have it already."""

import atexit
import gc
import os

from stages.engine.workers import end_with_parent
from stages.training.starting import load_tensorflow

load_tensorflow()
end_with_parent(os.getpid())
gc.freeze()  # exclude these objects from the collections that Keras' clear_session triggers
atexit.register(os._exit, 0)  # skip TensorFlow's orderly shutdown, which takes a second
