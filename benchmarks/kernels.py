"""`python -m benchmarks.kernels`: the stage `train` with portable and native kernels.

Both run in alternation and train the default rows on the default data, with no stored folds.
"""

import shutil
from pathlib import Path
from typing import Any

from benchmarks import inputs, measured, processes
from stages import files
from stages.statistics.paired import mean_std

KERNELS = ("portable", "native")


def measure(variant: str, settings: dict[str, Any], runs: int, folder: Path) -> dict[str, Any]:
    """Train a variant `runs` times with both kernels; return seconds, ratio and accuracies."""
    prepared = inputs.prepare(folder / "prepared", settings)
    seconds: dict[str, list[float]] = {kernels: [] for kernels in KERNELS}
    accuracy = {}
    for _ in range(runs):
        for kernels in KERNELS:
            chosen = inputs.merged(settings, {"train": {"kernels": kernels}})
            place = inputs.prepare(folder / "run", chosen, prepared)
            seconds[kernels].append(processes.run_stage(place, "train", variant).seconds)
            folds = files.read_table(place / "results" / variant / "folds.csv")
            accuracy[kernels] = mean_std([fold["accuracy"] for fold in folds])
            shutil.rmtree(place)
    shutil.rmtree(prepared)
    sides = {
        kernels: {"seconds": processes.summary(seconds[kernels]), "accuracy": accuracy[kernels]}
        for kernels in KERNELS
    }
    return sides | {"ratio": processes.ratio(seconds["portable"], seconds["native"])}


def main() -> None:
    """Measure, and write benchmarks/records/kernels.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--variants", nargs="+", default=["basic", "double_conv"])
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    settings = inputs.merged(inputs.defaults(), {"tracking": {"live_after": None}})
    if chosen.quick:
        chosen.runs, chosen.variants = 1, ["basic"]
        few = {"data": {"limit": 100}, "folds": {"count": 2}, "train": {"epochs": 1}}
        settings = inputs.merged(settings, few)
    with inputs.temporary_folder() as folder:
        found = {name: measure(name, settings, chosen.runs, folder) for name in chosen.variants}
    print(measured.write("kernels", {"variants": found}, chosen.folder))


if __name__ == "__main__":
    main()
