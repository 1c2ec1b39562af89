"""`python -m benchmarks.seeds`: the default comparison, with other folds for each seed.

A verdict from a single split into folds may be luck. For each value of `folds.seed`, `make repro`
runs in a copy of the repository; the record has its time, and each variant's results from
comparison.csv.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks import checkout, inputs, measured, processes
from benchmarks.overhead import fitting
from stages.report.terminal import read_rows

SHOWN = ("cv_mean", "cv_std", "n", "difference", "ci_low", "ci_high", "p_holm", "p_best", "outcome")


def compared(folder: Path, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Run the pipeline with the folds of one seed; return seconds, and the columns SHOWN."""
    place = checkout.make(folder / str(seed), inputs.merged(settings, {"folds": {"seed": seed}}))
    cost = processes.cost([sys.executable, "-m", "stages", "repro"], place, PYTHONPATH=str(place))
    rows = read_rows(place / "results" / "comparison.csv")
    return {
        "seconds": cost.seconds,
        "peak_mib": cost.peak_mib,
        "not_fitting_seconds": cost.seconds - fitting(place)["seconds"],
        "variants": {row["variant"]: {column: row[column] for column in SHOWN} for row in rows},
    }


def main() -> None:
    """Run all seeds, and write benchmarks/records/seeds.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    chosen = parser.parse_args()
    settings = inputs.defaults()
    if chosen.quick:
        settings, chosen.seeds = inputs.merged(settings, checkout.SMALL), chosen.seeds[:1]
    with inputs.temporary_folder() as folder:
        found = {str(seed): compared(folder, settings, seed) for seed in chosen.seeds}
    about = {"baseline": settings["compare"]["baseline"], "kernels": settings["train"]["kernels"]}
    print(measured.write("seeds", about | {"seeds": found}, chosen.folder))


if __name__ == "__main__":
    main()
