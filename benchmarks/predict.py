"""`python -m benchmarks.predict`: how soon a model file answers, on one thread, as one record.

Each variant's results/<variant>/model.keras is loaded as a user loads it, compiled once, and asked
for one image after the other and for 10,000 in batches. All images are raw test images.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured
from stages.files import read_json
from stages.settings import params
from stages.training.epoch import SCORING_BATCH
from stages.training.tf_runtime import import_tensorflow

CALLS, IMAGES = 300, 10_000
QUICK_CALLS, QUICK_IMAGES = 5, 50


def measure(variant: str, images: np.ndarray, calls: int) -> dict[str, Any]:
    """Return the times of one variant's model.

    Args:
        variant: its name.
        images: uint8 (n, height, width, channels).
        calls: how many single images are asked for, after one that compiles.

    Returns:
        Seconds to load; milliseconds of the first answer, and median and 95th percentile of the
        later ones, each for one image; seconds for all images and images per second.
    """
    tf = import_tensorflow("native")
    import keras

    path = Path("results") / variant / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; run `dvc pull` or `dvc repro train@{variant}`")
    keras.utils.clear_session()
    began = time.perf_counter()
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    load = time.perf_counter() - began
    answer = tf.function(lambda pixels: model(tf.cast(pixels, tf.float32), training=False))

    single = []
    for call in range(calls + 1):
        image = images[call % len(images)][None]
        began = time.perf_counter()
        answer(image).numpy()
        single.append(1000 * (time.perf_counter() - began))
    first, later = single[0], single[1:]

    starts = range(0, len(images), SCORING_BATCH)
    for start in (starts[0], starts[-1]):  # compiles for a whole and for the last batch
        answer(images[start : start + SCORING_BATCH]).numpy()
    began = time.perf_counter()
    for start in starts:
        answer(images[start : start + SCORING_BATCH]).numpy()
    seconds = time.perf_counter() - began
    return {
        "members": sum(layer.name.startswith("vote_") for layer in model.layers),
        "parameters": read_json(path.with_name("training.json"))["parameters"],
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


def main() -> None:
    """Measure the variants that the command line names, by default all chosen ones."""
    parser = inputs.parser(__doc__)
    parser.add_argument("variants", nargs="*", help="rows of params.yaml")
    chosen = parser.parse_args()
    calls, count = (QUICK_CALLS, QUICK_IMAGES) if chosen.quick else (CALLS, IMAGES)
    with inputs.workplace():
        settings = params.load()
        variants = chosen.variants or settings.compare.variants
        for variant in variants:
            settings.variant(variant)
        images = np.load("data/prepared/test_images.npy", mmap_mode="r")
        images = images[np.arange(count) % len(images)]
        found = {variant: measure(variant, images, calls) for variant in variants}
    about = {"threads": 1, "calls": calls, "images": count, "batch": SCORING_BATCH}
    print(measured.write("predict", about | {"variants": found}, chosen.folder))


if __name__ == "__main__":
    main()
