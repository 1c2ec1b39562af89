"""`python -m benchmarks.predict`: latency and throughput of model files on one thread.

Each variant's results/<variant>/model.keras is loaded as a user loads it and compiled once. It then
predicts one image after the other, and 10,000 in batches. All images are raw test images.
"""

from pathlib import Path

import numpy as np

from benchmarks import inputs, measured
from stages.engine import latency
from stages.files import existing
from stages.settings import params
from stages.training.epoch import scoring_batch

CALLS, IMAGES = 300, 10_000
QUICK_CALLS, QUICK_IMAGES = 5, 50


def main() -> None:
    """Measure the variants that the command line names, by default all compared ones."""
    parser = inputs.parser(__doc__)
    parser.add_argument("variants", nargs="*", help="rows of params.yaml")
    chosen = parser.parse_args()
    calls, count = (QUICK_CALLS, QUICK_IMAGES) if chosen.quick else (CALLS, IMAGES)
    with inputs.temporary_folder():
        settings = params.load()
        variants = chosen.variants or settings.compare.variants
        for variant in variants:
            settings.variant(variant)
        images = np.load("data/prepared/test_images.npy", mmap_mode="r")
        images = images[np.arange(count) % len(images)]
        paths = {
            variant: existing(Path("results") / variant / "model.keras", f"train@{variant}")
            for variant in variants
        }
        found = {
            variant: latency.measure(path, images, calls, "native")
            for variant, path in paths.items()
        }
    about = {
        "threads": 1,
        "calls": calls,
        "images": count,
        "batch": scoring_batch(images.shape[1:]),
    }
    print(measured.write("predict", about | {"variants": found}, chosen.folder))


if __name__ == "__main__":
    main()
