"""Score images with a model file in worker processes, and cache the result."""

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages import files
from stages.engine import fold_store, workers
from stages.engine.environment import current
from stages.engine.identity import code
from stages.settings.sections import Kernels, Parallel
from stages.statistics import classification, occlusion
from stages.training.export import probabilities

# Per task; fixed, so that results do not depend on the number of workers.
CHUNK, CHUNK_BYTES = 2500, 2**26  # most images, and most bytes of them
# Mistakes for which it is computed where the model looks: as many as the figure shows, or fewer of
# large images, so that it takes no longer than a few hundred predictions.
EXPLAINED, LEAST, EXPLAINED_BYTES = 20, 4, 2**24


class Scores(NamedTuple):
    """A model's predictions of the test images."""

    probability: np.ndarray  # float32 (n, classes)
    by_member: np.ndarray  # float32 (members, n, classes)
    mistakes: list[classification.Mistake]
    drops: np.ndarray  # of the first mistakes, as from `occlusion.drops`


def score(
    model: Path, images: np.ndarray, label: np.ndarray, parallel: Parallel, kernels: Kernels
) -> Scores:
    """Score the test images with a model, and see where it looks in the worst mistakes."""
    probability, by_member = predict(model, images, parallel, kernels)
    predicted = probability.argmax(axis=1)
    mistakes = classification.mistakes(label, predicted, probability.max(axis=1))
    count = EXPLAINED_BYTES // (occlusion.GRID**2 * math.prod(images.shape[1:]))
    rows = [index for index, *_ in mistakes[: min(EXPLAINED, max(LEAST, count))]]

    def again(covered: np.ndarray) -> np.ndarray:
        return predict(model, covered, parallel, kernels)[0]

    drops = occlusion.explain(images[rows], probability[rows], again)
    return Scores(probability, by_member, mistakes, drops)


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

    def computed() -> dict[str, np.ndarray]:
        size = max(1, min(CHUNK, CHUNK_BYTES // math.prod(images.shape[1:])))
        starts = range(0, len(images), size)
        tasks = [(model, images[start : start + size], kernels) for start in starts]
        parts = [part for _, part in sorted(workers.run(probabilities, tasks, parallel.local_jobs))]
        votes, members = zip(*parts, strict=True)
        return {"vote": np.concatenate(votes), "members": np.concatenate(members, axis=1)}

    path = files.root() / ".foldlab" / "scores" / f"{digest.hexdigest()}.npz"
    scores = fold_store.arrays(path, computed)
    return scores["vote"], scores["members"]
