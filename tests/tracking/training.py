"""`python training.py SECONDS`: a training of two folds like that of `train`, without learning.

It stores fold N once the working folder has the file `go-N`, and ends after the last.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from stages.commands import process
from stages.engine import fold_store, tracker
from stages.files import read_json, write_json, write_table
from stages.settings import params
from stages.train import tables
from stages.training.fold import FoldResult
from tests.prepared import recipe
from tests.tracking.made_results import fingerprint

CODE = Path(__file__).parents[2]
FINGERPRINT = fingerprint("basic")
FOLDS = 2
RECIPE = recipe(variant="basic", epochs=3)


def fold(number: int, began: int) -> FoldResult:
    epochs = np.arange(1, 4)
    accuracy = 0.9 + epochs / 100 + number / 1000
    ends = began / 1000 + 100 * number + epochs
    return FoldResult(
        history=np.stack([1 / epochs, accuracy, 2 / epochs, accuracy, 0.001 + 0 * epochs], axis=1),
        times=np.stack([ends, np.full(3, 0.9871)], axis=1),
        best_epoch=np.array(3),
        validation=np.arange(40),
        probability=np.full((40, 2), 0.5, "f4"),
        train_images=np.array(40),
        weights=[np.zeros(2, "f4")],
    )


def train(live_after: float) -> None:
    """Train a fold once its file appears, and write the files of `train`."""
    dataset = read_json(Path("data/prepared/dataset.json"))
    began = tracker.write_start_marker(FINGERPRINT, RECIPE, "The baseline.", dataset)
    tracking = params.load().tracking.model_copy(update={"live_after": live_after})
    with tracker.tracked([FINGERPRINT], tracking):
        for number in range(FOLDS):
            while not Path(f"go-{number}").exists():
                time.sleep(0.01)
            fold_store.save(FINGERPRINT, number, fold(number, began))
    results = Path("results/basic")
    written = tables(FINGERPRINT, began, {number: fold(number, began) for number in range(FOLDS)})
    for name, (columns, rows) in written.items():
        write_table(results / name, columns, rows)
    training = read_json(results / "training.json")
    settings = RECIPE.model_dump(exclude={"variant"})
    write_json(results / "training.json", training | {"settings": settings})


def start(seconds: float = 0, **environment: str) -> subprocess.Popen:
    """Start a training in the working folder."""
    paths = {"PYTHONPATH": str(CODE)}
    return subprocess.Popen(
        [sys.executable, __file__, str(seconds)],
        env=os.environ | paths | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def go(*folds: int) -> None:
    """Let a started training end these folds."""
    for number in folds:
        Path(f"go-{number}").touch()


def statuses(folder: Path = Path()) -> dict[str, str]:
    """Return {run name: status} of the store in a folder."""
    with closing(sqlite3.connect(folder / "mlflow.db", timeout=60)) as store:
        return dict(store.execute("select name, status from runs"))


def wait_for(wanted: dict[str, str], look: Callable[[], dict] = statuses) -> None:
    """Wait until the runs have these statuses."""
    end = time.monotonic() + 60
    while (seen := look()) != wanted:
        assert time.monotonic() < end, seen
        time.sleep(0.05)


if __name__ == "__main__":
    process.exit_on_sigterm()
    train(float(sys.argv[1]))
