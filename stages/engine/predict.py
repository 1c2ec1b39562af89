"""Score images with a model file in worker processes, and cache the result."""

import hashlib
import math
from pathlib import Path

import numpy as np

from stages import files
from stages.engine import fold_store, workers
from stages.engine.environment import current
from stages.engine.identity import code
from stages.settings.sections import Kernels, Parallel
from stages.training.export import probabilities

# Per task; fixed, so that results do not depend on the number of workers.
CHUNK, CHUNK_BYTES = 2500, 2**26  # most images, and most bytes of them


def predict(
    model: Path, images: np.ndarray, parallel: Parallel, kernels: Kernels
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of a model and of each of its members; see `probabilities`.

    Results are cached by a digest of the model, the images, the numerical code and the environment.
    A sweep fills the cache, since its workers have TensorFlow loaded, and `evaluate` reads it.
    """
    digest = hashlib.sha256(model.read_bytes())
    digest.update(repr((images.shape, code(), current(kernels))).encode())
    digest.update(np.ascontiguousarray(images).data)

    def score() -> dict[str, np.ndarray]:
        size = max(1, min(CHUNK, CHUNK_BYTES // math.prod(images.shape[1:])))
        starts = range(0, len(images), size)
        tasks = [(model, images[start : start + size], kernels) for start in starts]
        parts = [part for _, part in sorted(workers.run(probabilities, tasks, parallel.local_jobs))]
        votes, members = zip(*parts, strict=True)
        return {"vote": np.concatenate(votes), "members": np.concatenate(members, axis=1)}

    path = files.root() / ".foldlab" / "scores" / f"{digest.hexdigest()}.npz"
    scores = fold_store.arrays(path, score)
    return scores["vote"], scores["members"]
