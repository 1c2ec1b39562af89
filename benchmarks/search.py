"""`python -m benchmarks.search`: `make search` against Optuna over plain Keras, in alternation.

Both tune `basic` on the default digits, in the space of params.yaml, with the same sampler and the
same folds. The script trains all folds of all trials, one after the other. Run number n has the
seed n on both sides. Kernels are native.
"""

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import inputs, measured, processes
from stages import files
from stages.search import study, trial
from stages.settings import params

FULL = {"trials": 16, "epochs": 8, "folds": 5, "limit": None}
QUICK = {"trials": 2, "epochs": 1, "folds": 2, "limit": 200}


def settings(trials: int, epochs: int, folds: int, limit: int | None, seed: int) -> dict[str, Any]:
    """Return the default settings with a search."""
    return inputs.merged(
        inputs.defaults(),
        {
            "data": {"limit": limit},
            "folds": {"count": folds},
            "train": {"kernels": "native", "epochs": epochs, "seed": seed},
            "compare": {"variants": ["basic"], "baseline": "basic"},
            "search": {"trials": trials, "seed": seed},
            "tracking": {"live_after": None},
        },
    )


def searched(folder: Path) -> dict[str, Any]:
    """Return the best score of the search in a folder, and how many folds it trained."""
    found = params.load(folder / "params.yaml")
    data = files.read_dataset(folder / files.PREPARED)["sha256"]
    os.environ["DVC_ROOT"] = str(folder)
    with study.opened(found, data) as opened:
        trials = study.finished(opened, found)
    best = trial.best(trials)
    if best is None:
        raise OSError("no trial was completed")
    return {"best": best.mean, "folds": sum(len(one.scores) for one in trials)}


def measure(size: dict[str, Any], runs: int, folder: Path) -> dict[str, Any]:
    """Return the costs and best scores of both sides, and the ratio of pipeline to script."""
    costs: dict[str, list[processes.Cost]] = {"pipeline": [], "plain": []}
    ours, best = [], []
    for run in range(1, runs + 1):
        place = inputs.prepare(folder / str(run), settings(**size, seed=run))
        costs["pipeline"].append(processes.run_stage(place, "search"))
        ours.append(searched(place))
        numbers = {"--trials": size["trials"], "--epochs": size["epochs"], "--seed": run}
        options = [str(part) for pair in numbers.items() for part in pair]
        command = [sys.executable, "-m", "benchmarks.plain_search", *options]
        costs["plain"].append(processes.cost(command, place))
        best.append(files.read_json(place / "plain.json")["best"])
    seconds = ([cost.seconds for cost in costs[side]] for side in ("pipeline", "plain"))
    return {
        **size,
        "pipeline": processes.summaries(costs["pipeline"]) | {"searches": ours},
        "plain": processes.summaries(costs["plain"]) | {"best": best},
        "ratio": processes.ratio(*seconds),
        "best_difference_points": [
            100 * (one["best"] - other) for one, other in zip(ours, best, strict=True)
        ],
    }


def main() -> None:
    """Measure, and write benchmarks/records/search.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with inputs.temporary_folder() as folder:
        found = measure(QUICK, 1, folder) if chosen.quick else measure(FULL, chosen.runs, folder)
    print(measured.write("search", found, chosen.folder))


if __name__ == "__main__":
    main()
