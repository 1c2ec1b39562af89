"""`python -m benchmarks.seeds`: the default comparison, with other folds for each seed.

A verdict of one division into folds may be luck. Each seed of `folds.seed` runs `make repro` in a
copy of the repository; the record has what comparison.csv says of each variant.
"""

from pathlib import Path
from typing import Any

from benchmarks import checkout, inputs, measured
from stages import files

SHOWN = ("cv_mean", "cv_std", "n", "difference", "ci_low", "ci_high", "p_holm", "p_best", "outcome")


def compared(folder: Path, settings: dict[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Run the pipeline with the folds of one seed; return variant -> the columns SHOWN."""
    over = {"folds": {"seed": seed}, "tracking": {"live_after": None}}
    place = checkout.make(folder / str(seed), inputs.merged(settings, over))
    checkout.run("python -m stages repro", place)
    rows = files.read_table(place / "results" / "comparison.csv")
    return {row["variant"]: {column: row[column] for column in SHOWN} for row in rows}


def main() -> None:
    """Run all seeds, and write benchmarks/records/seeds.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    chosen = parser.parse_args()
    settings = inputs.defaults()
    if chosen.quick:
        settings, chosen.seeds = inputs.merged(settings, checkout.SLIVER), chosen.seeds[:1]
    with inputs.workplace() as folder:
        found = {str(seed): compared(folder, settings, seed) for seed in chosen.seeds}
    about = {"baseline": settings["compare"]["baseline"], "folds": settings["folds"]}
    print(measured.write("seeds", about | {"seeds": found}, chosen.folder))


if __name__ == "__main__":
    main()
