"""The proof of an exported model: how it compares with its Keras model on the test set."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import files
from stages.engine import hardware, latency
from stages.settings.sections import Kernels
from stages.statistics.interval import discordant
from stages.statistics.metrics import METRICS
from stages.training.epoch import scoring_batch

CALLS, ROUNDS = 200, 3  # single images in a round; rounds over both files


class Exported(NamedTuple):
    """An exported file, what maps uint8 images to its probabilities, and the packages used."""

    file: Path
    score: Callable[[np.ndarray], np.ndarray]
    packages: Sequence[str]


def proof_path(file: Path) -> Path:
    """Return the path of an exported file's proof."""
    return file.with_name(f"{file.name}.json")


def comparison(
    exported: Exported,
    model: Path,
    kernels: Kernels,
    images: np.ndarray,
    label: np.ndarray,
    expected: np.ndarray,
) -> dict[str, Any]:
    """Return how an exported file and its Keras model differ in answers, size and time.

    Args:
        exported: the file.
        model: the Keras model's file.
        kernels: for the Keras model.
        images: uint8 (n, height, width, channels), the test set.
        label: int (n,), their classes.
        expected: float (n, classes), the Keras model's probabilities.
    """
    size = scoring_batch(images.shape[1:])
    starts = range(0, len(images), size)
    found = np.concatenate([exported.score(images[start : start + size]) for start in starts])
    files_of_both = model, exported.file
    versions = ("tensorflow", "keras", "numpy", *exported.packages)
    return {
        "largest_difference": float(np.abs(found - expected).max()),
        "changed_predictions": int((found.argmax(1) != expected.argmax(1)).sum()),
        "accuracy": _accuracy(expected.argmax(1) == label, found.argmax(1) == label),
        "megabytes": _both(*(round(one.stat().st_size / 1e6, 3) for one in files_of_both)),
        "one_image_ms": _both(*_times(model, exported.score, images, kernels)),
        "processor": hardware.processor().get("model name", "unknown"),
        "versions": {one.replace("_", "-"): version(one) for one in versions},
        "sha256": _both(*map(files.sha256, files_of_both)),
    }


def _both(keras: Any, exported: Any) -> dict[str, Any]:
    return {"keras": keras, "exported": exported}


def _accuracy(keras: np.ndarray, exported: np.ndarray) -> dict[str, Any]:
    """Return both accuracies and their difference; arguments: bool (n,), predicted correctly."""
    gained, lost = int((exported & ~keras).sum()), int((keras & ~exported).sum())
    low, high = discordant(gained, lost, len(keras))
    return {
        "n": len(keras),
        **_both(float(keras.mean()), float(exported.mean())),
        "only_exported_correct": gained,
        "only_keras_correct": lost,
        "difference": (gained - lost) / len(keras),
        "ci_low": low,
        "ci_high": high,
    }


def _times(
    model: Path, score: Callable[[np.ndarray], np.ndarray], images: np.ndarray, kernels: Kernels
) -> tuple[float, float]:
    """Return the median milliseconds of one image on one thread, for the model and the new file.

    Each is that of the fastest round: other work on the machine can only make a round slower.
    """
    some = np.array(images[:CALLS])
    keras, exported = [], []
    for _ in range(ROUNDS):
        measured = latency.measure(model, some, CALLS, kernels)
        keras.append(measured["one_image_ms"]["median"])
        exported.append(float(np.median(latency.single_images(score, some, CALLS)[1:])))
    return min(keras), round(min(exported), 3)


def cells(proof: Mapping[str, Any]) -> dict[str, str]:
    """Return what a proof says: title -> text."""
    accuracy, size, times = (proof[key] for key in ("accuracy", "megabytes", "one_image_ms"))
    interval = (accuracy[key] for key in ("difference", "ci_low", "ci_high"))
    return {
        "largest difference of a probability": f"{proof['largest_difference']:.2g}",
        "changed predictions": f"{proof['changed_predictions']:,} of {accuracy['n']:,}",
        "test accuracy, %": f"{100 * accuracy['exported']:.2f}",
        "difference from Keras, points (95 %)": METRICS["accuracy"].difference(*interval),
        "MB": f"{size['exported']:.2f} (Keras: {size['keras']:.2f})",
        "ms for one image": f"{times['exported']:.2f} (Keras: {times['keras']:.2f})",
    }
