"""Score images with a model file in worker processes, and cache the result."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from stages import files
from stages.engine import workers
from stages.engine.environment import current
from stages.engine.identity import code
from stages.files import replacing
from stages.settings.sections import Parallel
from stages.training.export import probabilities

CHUNK = 2500  # images per task; fixed, so that results do not depend on the number of workers


def predict(model: Path, images: np.ndarray, parallel: Parallel) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of a model and of each of its members.

    Results are cached by a digest of the model, the images, the numerical code and the environment.
    A sweep fills the cache, since its workers have TensorFlow loaded, and `evaluate` reads it.

    Args:
        model: a `.keras` file made by `artifact.assemble`.
        images: uint8 (n, height, width, channels).
        parallel: where to run, and how many processes at a time.

    Returns:
        float32 (n, classes) and float32 (members, n, classes).
    """
    digest = hashlib.sha256(model.read_bytes())
    digest.update(repr((images.shape, code(), dict(current()))).encode())
    digest.update(np.ascontiguousarray(images).data)
    path = files.root() / ".foldlab" / "scores" / f"{digest.hexdigest()}.npz"
    try:
        with np.load(path, allow_pickle=False) as cached:
            return cached["vote"], cached["members"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        pass  # not scored yet

    starts = range(0, len(images), CHUNK)
    tasks = [(model, images[start : start + CHUNK]) for start in starts]
    parts = dict(workers.run(probabilities, tasks, parallel.local_jobs))
    vote = np.concatenate([parts[position][0] for position in range(len(tasks))])
    members = np.concatenate([parts[position][1] for position in range(len(tasks))], axis=1)
    with replacing(path) as temporary:
        np.savez(temporary, vote=vote, members=members)
    return vote, members
