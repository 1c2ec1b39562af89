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
from stages.training.export import scorer

# Per task; fixed, so that results do not depend on the number of workers.
CHUNK, CHUNK_BYTES = 2500, 2**26  # maximum number of images, and of their bytes
# Mistakes for which occlusion is computed: as many as the figure shows, or fewer if images are
# large, so that it takes no longer than a few hundred predictions.
EXPLAINED, LEAST, EXPLAINED_BYTES = 20, 4, 2**24


class Scores(NamedTuple):
    """A model's predictions of images."""

    probability: np.ndarray  # float32 (n, classes)
    by_member: np.ndarray  # float32 (members, n, classes)
    mistakes: list[classification.Mistake]
    drops: np.ndarray  # of the first mistakes, as from `occlusion.drops`


def score(
    model: Path, images: np.ndarray, label: np.ndarray, parallel: Parallel, kernels: Kernels
) -> Scores:
    """Score images with a model, and see where it looks in the worst mistakes.

    Images are uint8 (n, height, width, channels), labels integers (n,). Results are cached by a
    digest of the arguments, the code that computes them and the environment. A sweep fills the
    cache, since its workers have TensorFlow loaded, and `evaluate` reads it.
    """
    digest = hashlib.sha256(model.read_bytes())
    digest.update(repr((images.shape, code(), current(kernels))).encode())
    digest.update(Path(occlusion.__file__).read_bytes())
    for array in (images, label):
        digest.update(np.ascontiguousarray(array).data)
    pixels = math.prod(images.shape[1:])
    count = min(EXPLAINED, max(LEAST, EXPLAINED_BYTES // (occlusion.GRID**2 * pixels)))

    def computed() -> dict[str, np.ndarray]:
        size = max(1, min(CHUNK, CHUNK_BYTES // pixels))
        chunks = [slice(start, start + size) for start in range(0, len(images), size)]
        tasks = [(model, images[chunk], label[chunk], count, kernels) for chunk in chunks]
        parts = [part for _, part in sorted(workers.run(_score, tasks, parallel.local_jobs))]
        probability, by_member, drops = zip(*parts, strict=True)
        return {
            "probability": np.concatenate(probability),
            "by_member": np.concatenate(by_member, axis=1),
            "drops": np.concatenate(drops),
        }

    path = files.root() / ".foldlab" / "scores" / f"{digest.hexdigest()}.npz"
    scores = fold_store.arrays(path, computed)
    mistakes = _mistakes(scores["probability"], label)
    rows = [index for index, *_ in mistakes[:count]]
    return Scores(scores["probability"], scores["by_member"], mistakes, scores["drops"][rows])


def _score(
    model: Path, images: np.ndarray, label: np.ndarray, count: int, kernels: Kernels
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities, those of members, and drops (n, ...): 0 except for `count` mistakes."""
    probabilities = scorer(model, kernels)
    probability, by_member = probabilities(images)
    rows = [index for index, *_ in _mistakes(probability, label)[:count]]
    drops = np.zeros((len(images), occlusion.GRID, occlusion.GRID), np.float32)
    drops[rows] = occlusion.explain(
        images[rows], probability[rows], lambda covered: probabilities(covered)[0]
    )
    return probability, by_member, drops


def _mistakes(probability: np.ndarray, label: np.ndarray) -> list[classification.Mistake]:
    return classification.mistakes(label, probability.argmax(axis=1), probability.max(axis=1))
