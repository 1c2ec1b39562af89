"""Scoring images with a model file in worker processes, at most once for the same two."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from stages import entry
from stages.engine import workers
from stages.engine.environment import current
from stages.engine.identity import code
from stages.files import replacing
from stages.sections import Parallel
from stages.training.artifact import probabilities

CHUNK = 2500  # images a worker scores at a time; fixed, so that worker count changes nothing


def predict(model: Path, images: np.ndarray, parallel: Parallel) -> tuple[np.ndarray, np.ndarray]:
    """Return a model's probabilities and those of the members that vote in it.

    The answer is kept under the digest of the model's and the images' bytes, and of the code and
    the libraries that score: a sweep, whose workers have TensorFlow at hand, scores each model
    once, and `evaluate` finds it done.

    Args:
        model: a `.keras` file that `artifact.assemble` made.
        images: uint8 (n, height, width, channels).
        parallel: where and how many at a time.

    Returns:
        float32 (n, classes) and float32 (members, n, classes).
    """
    digest = hashlib.sha256(model.read_bytes())
    digest.update(repr((images.shape, code(), dict(current()))).encode())
    digest.update(np.ascontiguousarray(images).data)
    path = entry.root() / ".foldlab" / "scores" / f"{digest.hexdigest()}.npz"
    try:
        with np.load(path, allow_pickle=False) as kept:
            return kept["vote"], kept["members"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        pass  # not scored yet

    starts = range(0, len(images), CHUNK)
    tasks = [(model, images[start : start + CHUNK]) for start in starts]
    parts = dict(workers.run(probabilities, tasks, parallel.local_jobs))
    vote = np.concatenate([parts[position][0] for position in range(len(tasks))])
    members = np.concatenate([parts[position][1] for position in range(len(tasks))], axis=1)
    with replacing(path) as beside:
        np.savez(beside, vote=vote, members=members)
    return vote, members
