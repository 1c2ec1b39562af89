"""`python -m benchmarks.publish`: seconds of publishing a variant with 5 folds, imports included.

The SQLite store first has few runs, then 1,000. Each measurement is the stage's command in its own
process, for a variant that is not in the store yet. One variant is really trained, on a few digits;
the others are copies of its files with their own fingerprints.
"""

import hashlib
import os
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import checkout, inputs, measured, processes
from stages import files
from stages.data.mnist import load_5k
from stages.settings import params
from stages.settings.sections import Data, Tracking
from stages.tracking import record, store

EPOCHS, FOLDS = 10, 5
DATA = {"source": "mnist-5k", "limit": 200}


def measure(folder: Path, folds: int, filled: int, times: int) -> dict[str, Any]:
    """Return seconds over a small store and over one with `filled` runs, and their ratio.

    Args:
        folder: an empty one to work in.
        folds: of each variant.
        filled: minimum number of runs in the large store.
        times: measurements of each; their median counts.
    """
    fill = -(-filled // (folds + 1))
    names = [f"variant_{number}" for number in range(fill + 2 * times + 1)]
    root = trained(folder / "root", names, folds)
    left = copies(root / "results", names)
    seconds(root, next(left))  # makes the store
    small = [seconds(root, next(left)) for _ in range(times)]
    with chdir(root), store.opened(Tracking()) as client:
        from stages.tracking import runs

        settings = params.load()
        for _ in range(fill):
            runs.publish(client, record.read(next(left), settings))
    large = [seconds(root, next(left)) for _ in range(times)]
    return {
        "folds": folds,
        "epochs": EPOCHS,
        "runs_in_the_greater_store": (fill + times + 1) * (folds + 1),
        **compared(small, large),
    }


def trained(folder: Path, names: list[str], folds: int, data: Mapping[str, Any] = DATA) -> Path:
    """Make and return a folder with results of `basic`, and settings with `names` as variants."""
    settings = inputs.on_mnist(
        "basic",
        data=data,
        folds={"count": folds},
        train={"epochs": EPOCHS},
        tracking={"live_after": None},
    )
    settings["variants"] |= {name: {"architecture": "basic"} for name in names}
    inputs.evaluated(folder, settings)
    processes.run_stage(folder, "plot", "basic")
    return folder


def trained_on_digits(folder: Path, names: list[str]) -> Path:
    """Do the same on 200 digits without `data.limit`, with which models are not registered."""
    digits = load_5k(Data()).train
    path = str(folder / "digits.npz")
    np.savez(path, images=digits.images[::25], labels=digits.labels[::25])
    return trained(folder / "root", names, FOLDS, {"source": path, "watch": path})


def compared(few: list[float], many: list[float]) -> dict[str, Any]:
    """Return the seconds over few and over many runs, their medians, and the ratio of medians."""
    medians = statistics.median(few), statistics.median(many)
    return {
        "seconds": round(medians[0], 2),
        "seconds_all": [round(value, 2) for value in few],
        "seconds_there": round(medians[1], 2),
        "seconds_there_all": [round(value, 2) for value in many],
        "times_as_long": round(medians[1] / medians[0], 2),
    }


def copies(results: Path, names: list[str]) -> Iterator[str]:
    """Copy the results of `basic` under one name after another, yielding each name."""
    for name in names:
        folder = shutil.copytree(results / "basic", results / name)
        training = files.read_json(folder / "training.json")
        training["fingerprint"] = hashlib.sha256(name.encode()).hexdigest()
        files.write_json(folder / "training.json", training)
        rows = files.read_table(folder / "timing.csv")
        cells = [list((row | {"fingerprint": training["fingerprint"]}).values()) for row in rows]
        files.write_table(folder / "timing.csv", [*rows[0]], cells)
        yield name


def seconds(root: Path, variant: str, **environment: str) -> float:
    """Return how long the stage's command takes for one variant.

    Raises:
        OSError: if the variant is not published, about which the stage only warns.
    """
    began = time.perf_counter()
    given = {"PYTHONPATH": str(inputs.ROOT), **environment}
    output = checkout.run(f"python -m stages publish {variant}", root, **given)
    taken = time.perf_counter() - began
    if "foldlab: publishing" in output:
        raise OSError(f"{variant} is not published: {output.strip()}")
    return taken


def forget_stores() -> None:
    """Remove variables from the environment that name another store or repository."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        os.environ.pop(name, None)


def main() -> None:
    """Measure, and write benchmarks/records/publish.json."""
    chosen = inputs.parser(__doc__).parse_args()
    forget_stores()
    with inputs.temporary_folder() as folder:
        found = measure(folder, 2, 3, 1) if chosen.quick else measure(folder, FOLDS, 1000, 5)
    print(measured.write("publish", found, chosen.folder))


if __name__ == "__main__":
    main()
