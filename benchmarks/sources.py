"""`python -m benchmarks.sources`: the cost of reading images in the stage `prepare`.

MNIST from its four IDX files; 60,000 PNG files in a folder per class; and a large `.npz` of colour
images, on which `basic` is then trained for an epoch in two folds: memory should hold the images
only once. Pictures are noise, written before the measurement; compressed noise is slow to read.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import inputs, measured, processes

CLASSES = 10
FILES = 60_000  # of 28 x 28 grey pixels
LARGE = (200_000, 64, 64, 3)
CHUNK = 1_000  # images drawn at a time


def measure(chosen: Any, folder: Path) -> dict[str, Any]:
    """Return the cost of each source; memory in MiB, with the workers' where it trains."""
    return {
        "idx": _prepared(folder / "idx", inputs.data(chosen), chosen.runs),
        "png": _png(folder / "png", 200 if chosen.quick else FILES, chosen.runs),
        "large": _large(folder / "large", (400, 16, 16, 3) if chosen.quick else LARGE),
    }


def _prepared(folder: Path, data: dict[str, Any], runs: int = 1) -> dict[str, Any]:
    """Prepare `runs` times, each in its own folder."""
    costs = []
    for run in range(runs):
        where = folder / str(run)
        where.mkdir(parents=True)
        inputs.write_settings(where, _settings(data))
        costs.append(processes.run_stage(where, "prepare"))
    return processes.summaries(costs)


def _settings(data: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of two folds and one epoch of `basic`."""
    return inputs.on_mnist("basic", data=data, folds={"count": 2}, train={"epochs": 1})


def _png(folder: Path, count: int, runs: int) -> dict[str, Any]:
    """Write a folder of PNG files per class, and prepare it."""
    random = np.random.default_rng(0)
    for number in range(CLASSES):
        (folder / "images" / str(number)).mkdir(parents=True)
    for number in range(count):
        pixels = random.integers(0, 256, (28, 28), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / str(number % CLASSES) / f"{number}.png")
    data = {"source": str(folder / "images"), "watch": str(folder / "images")}
    return {"files": count} | _prepared(folder / "runs", data, runs)


def _large(folder: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    """Write a large `.npz`, prepare it and train an epoch on it."""
    folder.mkdir()
    path = folder / "large.npz"
    random = np.random.default_rng(0)
    drawn = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, shape)
    for start in range(0, len(drawn), CHUNK):
        part = drawn[start : start + CHUNK]
        part[...] = random.integers(0, 256, part.shape, np.uint8)
    np.savez(path, images=drawn, labels=np.arange(len(drawn)) % CLASSES)
    size = drawn.nbytes / 2**20
    del drawn
    os.remove(folder / "images.npy")
    inputs.write_settings(folder, _settings({"source": str(path), "watch": str(path)}))
    prepared = processes.run_stage(folder, "prepare")
    trained = processes.run_stage(folder, "train", "basic")
    return {
        "images": list(shape),
        "images_mib": size,
        "prepare": prepared._asdict(),
        "train": trained._asdict(),
        "copies": max(prepared.peak_mib, trained.peak_mib) / size,
    }


def main() -> None:
    """Measure, and write benchmarks/records/sources.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of all but the large source")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.runs = 1
    with inputs.temporary_folder() as folder:
        found = measure(chosen, folder)
    print(measured.write("sources", {"runs": chosen.runs} | found, chosen.folder))


if __name__ == "__main__":
    main()
