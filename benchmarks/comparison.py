"""`python -m benchmarks.comparison`: time and memory of `compare` for 10 and for 200 variants.

One variant is really trained, for an epoch on full MNIST. The others are copies of its files in
which some predictions and fold scores are changed at random, so that tests and report have as much
to do as with variants that really differ. The stage `plot` is timed too, for 10 and 100 classes.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured, processes
from stages import files

VARIANTS = (10, 200)
CLASSES = 100
SHORT = {"train": {"epochs": 1}, "tracking": {"live_after": None}}
CHANGED = 0.003  # share of a copy's predictions that name another class
SPREAD = 0.001  # standard deviation of the noise added to a copy's fold accuracies


def measure(trained: Path, settings: dict[str, Any], counts: tuple, runs: int) -> dict[str, Any]:
    """Compare growing numbers of variants in the folder where `basic` is trained.

    Args:
        trained: that folder.
        settings: its params.yaml.
        counts: how many variants, ascending.
        runs: how often each comparison runs.

    Returns:
        For each count, as text, every run's seconds and peak memory, and the report's size.
    """
    found, names = {}, ["basic"]
    for count in counts:
        for number in range(len(names), count):
            names.append(f"basic_{number}")
            copy(trained / "results", names[-1], np.random.default_rng(number))
        settings["variants"] = {name: {"architecture": "basic"} for name in names}
        settings["compare"] |= {"variants": names, "baseline": "basic"}
        inputs.write_settings(trained, settings)
        costs = [processes.run_stage(trained, "compare") for _ in range(runs)]
        size = (trained / "results" / "report.html").stat().st_size / 2**20
        found[str(count)] = processes.summaries(costs) | {"report_mib": size}
    return found


def copy(results: Path, name: str, random: np.random.Generator) -> None:
    """Copy the results of `basic` as those of a variant that makes other mistakes."""
    folder = shutil.copytree(results / "basic", results / name)
    with np.load(folder / "predictions.npz") as stored:
        arrays = dict(stored)
    for key in ("oof_probability", "test_probability"):
        rows = random.random(len(arrays[key])) < CHANGED
        arrays[key][rows] = np.roll(arrays[key][rows], 1, axis=1)
    np.savez(folder / "predictions.npz", **arrays)
    folds = files.read_table(folder / "folds.csv")
    for fold in folds:
        fold["accuracy"] = min(1.0, fold["accuracy"] + random.normal(0, SPREAD))
    files.write_table(folder / "folds.csv", [*folds[0]], [list(fold.values()) for fold in folds])


def pictures(folder: Path) -> dict[str, Any]:
    """Return the seconds of the stage `plot`, imports included, in all and per picture."""
    seconds = processes.run_stage(folder, "plot", "basic").seconds
    count = len([*(folder / "results" / "basic" / "plots").glob("*.png")])
    return {"seconds": seconds, "pictures": count, "seconds_each": seconds / count}


def main() -> None:
    """Measure, and write benchmarks/records/comparison.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    counts = (2, 3) if chosen.quick else VARIANTS
    if chosen.quick:
        chosen.runs = 1
    with inputs.temporary_folder() as folder:
        ten = inputs.on_mnist("basic", data=inputs.data(chosen), **SHORT)
        inputs.evaluated(folder / "ten", ten)
        plot = {"10": pictures(folder / "ten")}
        if not chosen.quick:
            random, labels = np.random.default_rng(0), np.arange(40 * CLASSES) % CLASSES
            images = random.integers(0, 256, (len(labels), 28, 28), "u1")
            np.savez(folder / "hundred.npz", images=images, labels=labels)
            data = {"source": str(folder / "hundred.npz"), "watch": str(folder / "hundred.npz")}
            hundred = inputs.on_mnist("basic", data=data, **SHORT)
            plot[str(CLASSES)] = pictures(inputs.evaluated(folder / "hundred", hundred))
        found = measure(folder / "ten", ten, counts, chosen.runs)
    result = {"runs": chosen.runs, "variants": found, "plot": plot}
    print(measured.write("comparison", result, chosen.folder))


if __name__ == "__main__":
    main()
