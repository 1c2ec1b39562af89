"""`python -m benchmarks.kfold`: the stage `train` against a plain Keras script, in alternation.

Each is a command in its own process. Both read the same prepared arrays and folds, train the same
recipe and start with no stored folds. Early stopping is off, so both train the same number of
epochs. The stage also stores folds, writes tables and builds the model file; the script does none
of that. `--precision` gives one or more precisions of the pipeline, each measured against the
script, which computes in float32 like any untuned script. Run number n uses seed n on all sides, so
there are runs x folds accuracies.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import inputs, measured, processes
from stages import files
from stages.statistics.paired import mean_std

VARIANTS = ("basic", "batchnorm", "double_conv", "tiny", "resnet", "allconv")
PRECISIONS = ("float32", "mixed_bfloat16")
MEASURES = processes.Cost._fields


def measure(
    variant: str, settings: dict[str, Any], precisions: Sequence[str], runs: int, folder: Path
) -> dict[str, dict[str, Any]]:
    """Run all sides in alternation, `runs` times each; return their costs and accuracies.

    Returns:
        precision -> for pipeline and script every run's cost with medians, and accuracies; the
        ratios of pipeline to script, and the difference of their mean accuracies in points.
    """
    prepared = inputs.prepare(folder / "prepared", settings)
    costs: dict[str, list] = {side: [] for side in (*precisions, "plain")}
    accuracies: dict[str, list] = {side: [] for side in costs}
    for run in range(1, runs + 1):
        for precision in precisions:
            changed = {"seed": run, "precision": precision}
            seeded = settings | {"train": settings["train"] | changed}
            place = inputs.prepare(folder / f"{precision}-{run}", seeded, prepared)
            costs[precision].append(processes.run_stage(place, "train", variant))
            folds = files.read_table(place / "results" / variant / "folds.csv")
            accuracies[precision] += [fold["accuracy"] for fold in folds]
            shutil.rmtree(place)  # the models and folds of all runs would fill a small disk

        place = inputs.prepare(folder / f"plain-{run}", seeded, prepared)
        costs["plain"].append(processes.cost(script(variant, seeded), place))
        accuracies["plain"] += files.read_json(place / "plain.json")["accuracies"]
        shutil.rmtree(place)
    sides = {
        side: processes.summaries(costs[side])
        | {"accuracy": mean_std(accuracies[side]), "accuracies": accuracies[side]}
        for side in costs
    }
    return {precision: compared(sides[precision], sides["plain"]) for precision in precisions}


def compared(pipeline: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return both sides with their ratios and the difference of their mean accuracies."""
    ratios = {
        name: processes.ratio(*(side[name]["all"] for side in (pipeline, plain)))
        for name in MEASURES
    }
    points = 100 * (pipeline["accuracy"]["mean"] - plain["accuracy"]["mean"])
    sides = {"pipeline": pipeline, "plain": plain}
    return sides | {"ratio": ratios, "accuracy_difference_points": points}


def script(variant: str, settings: dict[str, Any]) -> list[str]:
    """Return the command of the plain script with the numbers of the pipeline's row."""
    train = settings["train"] | settings["variants"][variant]["train"]
    plateau = train.get("reduce_on_plateau") or {}
    numbers = {name: train[name] for name in ("epochs", "batch_size", "learning_rate", "seed")}
    numbers |= {name: plateau[name] for name in ("factor", "patience") if plateau}
    options = [(f"--{name.replace('_', '-')}", str(value)) for name, value in numbers.items()]
    return [sys.executable, "-m", "benchmarks.plain_keras", variant, *sum(options, ())]


def chosen_settings(variant: str, epochs: int, **over: Any) -> dict[str, Any]:
    """Return the settings of one variant, its row trained for `epochs` without early stopping."""
    settings = inputs.on_mnist(variant, **over)
    settings["train"]["epochs"] = epochs
    row = settings["variants"][variant]["train"]
    row.pop("epochs", None)
    row["early_stopping"] = None
    return settings


def main() -> None:
    """Measure one variant and write benchmarks/records/kfold-<variant>-<precision>.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--variant", choices=VARIANTS, default="basic")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["float32"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--images", type=int, help="at most this many for training")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.runs, chosen.epochs, chosen.folds = 1, 1, 2
    over = {"data": inputs.data(chosen), "folds": {"count": chosen.folds}}
    settings = chosen_settings(chosen.variant, chosen.epochs, **over)
    with inputs.temporary_folder() as folder:
        found = measure(chosen.variant, settings, chosen.precision, chosen.runs, folder)
    trained = settings["train"] | settings["variants"][chosen.variant]["train"]
    for precision, result in found.items():
        about = {
            "variant": chosen.variant,
            "precision": precision,
            "epochs": chosen.epochs,
            "folds": chosen.folds,
            "images": chosen.images or (settings["data"].get("limit") or "all"),
            "recipe": trained | {"precision": precision},
        }
        print(measured.write(f"kfold-{chosen.variant}-{precision}", about | result, chosen.folder))


if __name__ == "__main__":
    main()
