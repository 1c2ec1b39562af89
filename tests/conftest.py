import os

from stages.training.fold import THREADS

# As in a worker process: TensorFlow reads these when a test first computes with it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.update(THREADS)
