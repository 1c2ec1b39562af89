"""`python -m benchmarks.publish`: seconds of publishing a variant with 5 folds, imports included.

Over a sqlite store with few runs, then over one with 1,000. Each measurement is the command of the
stage in a process of its own, for a variant that the store does not have yet.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

from benchmarks import measured
from stages.settings import params
from stages.tracking import record, store
from tests.prepared import TRAIN
from tests.tracking.made_results import make_repository

CODE = Path(__file__).parents[1]
FOLDS, EPOCHS = 5, 10


def measure(filled: int, times: int) -> dict:
    """Return seconds over a small store and over one with `filled` runs, and their ratio.

    Args:
        filled: runs in the greater store, at least.
        times: measurements of each; their median counts.
    """
    fill = -(-filled // (FOLDS + 1))
    names = [f"variant_{number}" for number in range(fill + 2 * times + 1)]
    with tempfile.TemporaryDirectory() as folder:
        root = make_repository(Path(folder), *names, folds=FOLDS, epochs=EPOCHS)
        rows = "".join(f"  {name}: {{architecture: basic}}\n" for name in names)
        train = f"train: {json.dumps(TRAIN)}\n"
        compare = f"compare: {{variants: [{names[0]}], baseline: {names[0]}}}\n"
        (root / "params.yaml").write_text(f"{train}variants:\n{rows}{compare}")
        left = iter(names)
        seconds(root, next(left))  # makes the store
        small = [seconds(root, next(left)) for _ in range(times)]
        with chdir(root), store.opened("foldlab") as (client, experiment_id):
            from stages.tracking import runs

            settings = params.load()
            for _ in range(fill):
                found = record.read(next(left), settings)
                runs.publish(client, experiment_id, found, "foldlab")
        great = [seconds(root, next(left)) for _ in range(times)]
    return {
        "folds": FOLDS,
        "epochs": EPOCHS,
        "seconds": round(statistics.median(small), 2),
        "seconds_all": [round(value, 2) for value in small],
        "runs_in_the_greater_store": (fill + times + 1) * (FOLDS + 1),
        "seconds_there": round(statistics.median(great), 2),
        "seconds_there_all": [round(value, 2) for value in great],
        "times_as_long": round(statistics.median(great) / statistics.median(small), 2),
    }


def seconds(root: Path, variant: str) -> float:
    """Return how long the stage's command takes for one variant.

    Raises:
        OSError: when the variant is not published, of which the stage only warns.
    """
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_"))
    }
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "stages", "publish", variant],
        cwd=root,
        env=environment | {"PYTHONPATH": str(CODE)},
        stderr=subprocess.PIPE,
        text=True,
    )
    taken = time.perf_counter() - began
    if done.returncode or "foldlab: publishing" in done.stderr:
        raise OSError(f"{variant} is not published: {done.stderr.strip()}")
    return taken


def main() -> None:
    """Measure, and write benchmarks/records/publish.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="once each, over 20 runs")
    parser.add_argument("--folder", type=Path, default=measured.HERE / "records")
    chosen = parser.parse_args()
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        os.environ.pop(name, None)
    try:
        found = measure(20, 1) if chosen.quick else measure(1000, 5)
    except OSError as error:
        sys.exit(f"foldlab: {error}")
    print(measured.write("publish", found, chosen.folder))


if __name__ == "__main__":
    main()
