"""What a prediction with a model file costs on one thread: time, operations and size."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stages.augment.views import stacked
from stages.settings.sections import Kernels
from stages.training.epoch import scoring_batch
from stages.training.tf_runtime import import_tensorflow


def measure(path: Path, images: np.ndarray, calls: int, kernels: Kernels) -> dict[str, Any]:
    """Load a `.keras` file as a user does, compile it once, and time it in this process.

    Args:
        path: the file.
        images: uint8 (n, height, width, channels); all of them are scored in batches.
        calls: how many single images are scored, after one that compiles.
        kernels: those that training computes with.

    Returns:
        Seconds to load; milliseconds of the first prediction, and median and 95th percentile of the
        later ones, each of one image; seconds for all images, and images per second; parameters;
        multiply-adds for one image; the file's size in bytes.
    """
    tf = import_tensorflow(kernels)
    import keras

    keras.utils.clear_session()
    began = time.perf_counter()
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    load = time.perf_counter() - began
    answer = tf.function(lambda pixels: model(tf.cast(pixels, tf.float32), training=False))

    first, *later = single_images(lambda image: answer(image).numpy(), images, calls)

    size = scoring_batch(images.shape[1:])
    starts = range(0, len(images), size)
    for start in (starts[0], starts[-1]):  # compiles for a whole and for the last batch
        answer(images[start : start + size]).numpy()
    began = time.perf_counter()
    for start in starts:
        answer(images[start : start + size]).numpy()
    seconds = time.perf_counter() - began
    return {
        "members": sum(layer.name.startswith("vote_") for layer in model.layers),
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "file_bytes": path.stat().st_size,
        "load_seconds": round(load, 3),
        "first_ms": round(first, 2),
        "one_image_ms": {
            "median": round(float(np.median(later)), 3),
            "p95": round(float(np.percentile(later, 95)), 3),
        },
        "all_images_seconds": round(seconds, 6),
        "images_per_second": round(len(images) / seconds),
    }


def single_images(
    answer: Callable[[np.ndarray], object], images: np.ndarray, calls: int
) -> list[float]:
    """Return the milliseconds of `calls` + 1 predictions of one image; the first may compile."""
    times = []
    for call in range(calls + 1):
        image = images[call % len(images)][None]
        began = time.perf_counter()
        answer(image)
        times.append(1000 * (time.perf_counter() - began))
    return times


def products(model: Any, views: int = 1) -> list[int]:
    """Return the multiply-adds of each layer for one image, in order.

    Convolutions and dense layers only, as is usual: (values of the output) x (inputs of each).
    Biases, activations, pooling and normalization are left out. A layer computes for every view of
    the models that contain it; `views` is their number outside of `model`.

    Raises:
        ValueError: for any other kind of layer with a matrix of weights.
    """
    counts = []
    views *= stacked(model)
    for layer in model.layers:
        if hasattr(layer, "layers"):
            counts += products(layer, views)
            continue
        if all(len(weight.shape) < 2 for weight in layer.weights):
            continue
        kinds = {base.__name__ for base in type(layer).__mro__}
        if not kinds & {"Conv2D", "DepthwiseConv2D", "Dense"}:
            raise ValueError(f"{type(layer).__name__} cannot be counted; add its formula.")
        height_width_channels = layer.kernel.shape[: 2 if "DepthwiseConv2D" in kinds else -1]
        values = int(np.prod(layer.output.shape[1:]))
        counts.append(views * values * int(np.prod(height_width_channels)))
    return counts


def multiply_adds(model: Any) -> int | None:
    """Return the sum of `products`, or None where a layer cannot be counted."""
    try:
        return sum(products(model))
    except ValueError:
        return None
