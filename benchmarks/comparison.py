"""`python -m benchmarks.comparison`: time and memory of `compare` for 10 and for 200 variants.

One variant is really trained, for an epoch on full MNIST. The others are copies of its files in
which some predictions and fold scores are changed at random, so that tests and report have as much
to do as with variants of their own. The stage `plot` is timed too, for 10 and for 100 classes.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measured, processes
from benchmarks.overhead import write_settings
from stages import files

VARIANTS = (10, 200)
CLASSES = 100
CHANGED = 0.003  # share of a copy's predictions that name another class
SPREAD = 0.001  # standard deviation of what is added to a copy's fold accuracies


def measure(trained: Path, settings: dict[str, Any], counts: tuple, runs: int) -> dict[str, Any]:
    """Compare so many variants each time, in the folder where one is trained.

    Args:
        trained: a folder with prepared data and the results of `basic`.
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
        write_settings(trained, settings)
        costs = [processes.cost(processes.stage("compare"), trained) for _ in range(runs)]
        found[str(count)] = {
            "seconds": processes.summary([cost.seconds for cost in costs]),
            "peak_mib": processes.summary([cost.peak_mib for cost in costs]),
            "report_mib": (trained / "results" / "report.html").stat().st_size / 2**20,
        }
    return found


def copy(results: Path, name: str, random: np.random.Generator) -> None:
    """Copy the results of `basic` as those of another variant that errs elsewhere."""
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
    """Return the seconds of the stage `plot` in a folder, imports included, and of each picture."""
    seconds = processes.cost(processes.stage("plot", "basic"), folder).seconds
    count = len([*(folder / "results" / "basic" / "plots").glob("*.png")])
    return {"seconds": seconds, "pictures": count, "seconds_each": seconds / count}


def evaluated(folder: Path, settings: dict[str, Any]) -> Path:
    """Prepare, train and evaluate `basic` in a new folder."""
    processes.make(folder, settings)
    for stage in ("train", "evaluate"):
        processes.cost(processes.stage(stage, "basic"), folder, DVC_ROOT=str(folder))
    return folder


def main() -> None:
    """Measure, and write benchmarks/records/comparison.json."""
    parser = processes.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    counts = (2, 3) if chosen.quick else VARIANTS
    if chosen.quick:
        chosen.runs = 1
    short = {"train": {"epochs": 1}, "tracking": {"live_after": None}}
    settings = processes.settings("basic", data=processes.data(chosen), **short)
    with tempfile.TemporaryDirectory() as name:
        drawn = Path(name) / "hundred.npz"
        random = np.random.default_rng(0)
        labels = np.arange(40 * CLASSES) % CLASSES
        np.savez(drawn, images=random.integers(0, 256, (len(labels), 28, 28), "u1"), labels=labels)
        many = processes.settings("basic", data={"source": str(drawn), "watch": name}, **short)
        try:
            ten = evaluated(Path(name) / "ten", settings)
            plot = {"10": pictures(ten)}
            if not chosen.quick:
                plot[str(CLASSES)] = pictures(evaluated(Path(name) / "hundred", many))
            found = measure(ten, settings, counts, chosen.runs)
        except OSError as error:
            sys.exit(f"foldlab: {error}")
    where = {"folder": chosen.folder} if chosen.folder else {}
    result = {"runs": chosen.runs, "variants": found, "plot": plot}
    print(measured.write("comparison", result, **where))


if __name__ == "__main__":
    main()
