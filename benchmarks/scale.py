"""`python -m benchmarks.scale`: cost of training as images, folds, variants and workers grow.

Each point is one command in its own process, with no stored folds: the stage `train` of `basic` for
one epoch, or, for variants, the sweep over equal rows. Memory is the peak of the command with its
workers, without the process that shows longer trainings in MLflow.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import inputs, measured, processes


class Point(NamedTuple):
    """The size of one measured command."""

    images: int
    folds: int
    variants: int
    workers: int


BASE = Point(images=5_000, folds=2, variants=1, workers=2)
AXES = {
    "images": [BASE._replace(images=n) for n in (5_000, 15_000, 30_000, 60_000)],
    "folds": [BASE._replace(folds=n) for n in (2, 5, 10, 20)],
    "variants": [BASE._replace(images=500, variants=n) for n in (1, 10, 50)],
    "workers": [BASE._replace(images=20_000, folds=4, workers=n) for n in (1, 2)],
}
SMALL = Point(images=100, folds=2, variants=1, workers=1)
QUICK = {"variants": [SMALL._replace(variants=2)]}


def settings(point: Point, over: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a point, whose variants are equal rows, with `over` merged in."""
    made = inputs.on_mnist("basic", **over)
    made["data"]["limit"] = point.images
    names = [f"basic_{number}" for number in range(point.variants)]
    made["variants"] = {name: {"architecture": "basic"} for name in names}
    made["compare"] |= {"variants": names, "baseline": names[0]}
    made["train"]["epochs"] = 1
    made["folds"]["count"] = point.folds
    made["parallel"]["jobs"] = point.workers
    made["search"] = {"variant": names[0]}
    made["tracking"]["live_after"] = None
    return made


def measure(axes: dict[str, list[Point]], over: dict, runs: int, folder: Path) -> dict[str, Any]:
    """Run all points of each axis in turn, `runs` times; see `grown`."""
    found = {}
    for axis, points in axes.items():
        costs: list[list[processes.Cost]] = [[] for _ in points]
        for run in range(runs):
            for place, point in enumerate(points):
                where = folder / f"{axis}-{place}-{run}"
                inputs.prepare(where, settings(point, over))
                sweep = axis == "variants"
                command = ("sweep",) if sweep else ("train", "basic_0")
                cost = processes.run_stage(where, *command, sampling_share=0.2)  # it may be short
                costs[place].append(cost)
                shutil.rmtree(where)
        found[axis] = grown(points, costs)
    return found


def grown(points: list[Point], costs: list[list[processes.Cost]]) -> dict[str, Any]:
    """Return points with all costs and their medians, and the ratio of the last to the first."""
    rows = [
        point._asdict() | processes.summaries(of_point)
        for point, of_point in zip(points, costs, strict=True)
    ]
    first, last = rows[0], rows[-1]
    growth = {name: last[name]["median"] / first[name]["median"] for name in processes.Cost._fields}
    return {"points": rows, "last_over_first": growth}


def main() -> None:
    """Measure, and write benchmarks/records/scale.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--axes", nargs="+", choices=[*AXES], default=[*AXES])
    chosen = parser.parse_args()
    axes = QUICK if chosen.quick else {axis: AXES[axis] for axis in chosen.axes}
    with inputs.temporary_folder() as folder:
        found = measure(axes, {"data": inputs.data(chosen)}, chosen.runs, folder)
    print(measured.write("scale", {"runs": chosen.runs, "axes": found}, chosen.folder))


if __name__ == "__main__":
    main()
