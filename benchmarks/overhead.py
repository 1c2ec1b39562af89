"""`python -m benchmarks.overhead`: the time in `dvc repro` of the five references except fitting.

It works in a copy of the repository with its own store. The pipeline itself is unchanged: a
`python` first in PATH times each command of a stage by running the real one under bash's `time`,
whose processor time excludes workers, because it does not wait for them. Fitting is the time in
which at least one worker is inside an epoch, including its validation, according to
results/<variant>/timing.csv; everything else is the rest of the wall time. With --default it
measures `make repro` instead: default data and settings, the sweep first. After `overhead --place
P`, run `DVC_ROOT=P/copy python -m benchmarks.accuracy basic dropout` to turn the trained folds into
records of accuracy.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from benchmarks import checkout, inputs, measured, processes
from stages import files

REFERENCES = ["basic", "batchnorm", "dropout", "stacked", "double_conv"]
SHIM = """#!/bin/bash
TIMEFORMAT="${{DVC_STAGE:-none}} ${{3:-none}} %R %U %S"
{{ time {python} "$@" 2>&3 ; }} 3>&2 2>>{times}
"""


def union(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of (start, end) intervals."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def timed(commands: list[list[str]], folder: Path) -> dict[str, Any]:
    """Run commands one after the other; return their cost and that of each stage's commands."""
    shims, times = folder / ".shims", folder / ".times"
    shims.mkdir(exist_ok=True)
    shim = shims / "python"
    shim.write_text(SHIM.format(python=shlex.quote(sys.executable), times=shlex.quote(str(times))))
    shim.chmod(0o755)
    path = f"{shims}{os.pathsep}{processes.environment()['PATH']}"
    seconds = processor = outside = 0.0
    rows = []
    for command in commands:
        times.write_text("")
        cost = processes.cost(command, folder, PATH=path, PYTHONPATH=str(folder))
        seconds += cost.seconds
        processor += cost.processor_seconds
        own = [_row(line) for line in times.read_text().splitlines()]
        if all(row["stage"] != "none" for row in own):  # other stages run during a sweep
            outside += cost.seconds - sum(row["seconds"] for row in own)
        rows += own
    total = {"seconds": seconds, "processor_seconds": processor}
    return total | {"outside_stages_seconds": outside, "stages": rows}


def _row(line: str) -> dict[str, Any]:
    """Parse the line that the shim wrote for one command."""
    stage, command, wall, user, system = line.split()
    processor = round(float(user) + float(system), 3)
    row = {"stage": stage, "command": command, "seconds": float(wall)}
    return row | {"processor_seconds": processor}


def fitting(folder: Path) -> dict[str, float]:
    """Return seconds with at least one worker in an epoch, and summed over the workers."""
    spans = []
    for path in (folder / "results").glob("*/timing.csv"):
        for epoch in files.read_table(path):
            end = epoch["time"] / 1000
            spans.append((end - epoch["seconds"], end))
    return {"seconds": union(spans), "summed_seconds": sum(end - start for start, end in spans)}


def bare(folder: Path, stages: int) -> Path:
    """Make and run a DVC pipeline of trivial commands, each with one dependency."""
    folder.mkdir()
    (folder / "out_0").write_text("0\n")
    made = {
        f"stage_{n}": {
            "cmd": f"cp out_{n - 1} out_{n}",
            "deps": [f"out_{n - 1}"],
            "outs": [f"out_{n}"],
        }
        for n in range(1, stages + 1)
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": made}))
    checkout.run("git init -q && dvc init -q", folder)
    shutil.copy(inputs.ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    checkout.run("dvc repro", folder)
    return folder


def measure(settings: dict, runs: int, targets: list[str], sweep: bool, place: Path) -> dict:
    """Time the full pipeline, then a no-op, then an edit of one row; see the top of this file."""
    folder = checkout.make(place / "copy", settings)
    repro = ["dvc", "repro", *targets]
    commands = [repro]
    if sweep:
        shim = str(folder / ".shims" / "python")
        commands = [[shim, "-m", "stages", "repro"]]
    full = timed(commands, folder)
    full["fitting"] = fitting(folder)
    full["not_fitting_seconds"] = full["seconds"] - full["fitting"]["seconds"]
    full["not_fitting_share"] = full["not_fitting_seconds"] / full["seconds"]

    stages = len(yaml.safe_load((folder / "dvc.lock").read_text())["stages"])
    other = bare(place / "bare", stages)
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(processes.cost(repro, folder).seconds)
        theirs.append(processes.cost(["dvc", "repro"], other).seconds)
    no_op = {"stages": stages, "pipeline": processes.summary(ours)}
    no_op |= {"bare": processes.summary(theirs), "ratio": processes.ratio(ours, theirs)}
    if sweep:
        command = [sys.executable, "-m", "stages", "repro"]
        stamped = [processes.cost(command, folder).seconds for _ in range(runs)]
        no_op["stages_repro"] = processes.summary(stamped)

    row = settings["compare"]["variants"][0]
    settings["variants"][row].setdefault("train", {})["label_smoothing"] = 0.01
    inputs.write_settings(folder, settings)
    edit = timed([repro], folder) | {"row": row}
    return {"repro": full, "no_op": no_op, "one_row_edit": edit}


def chosen_settings(chosen: Any) -> dict[str, Any]:
    """Return the settings: the default ones, or the five references on full MNIST."""
    if chosen.default:
        return inputs.defaults()
    settings = inputs.on_mnist(*REFERENCES)
    names = REFERENCES[:1] if chosen.quick else REFERENCES
    over = {"data": inputs.data(chosen), "compare": {"variants": names}}
    if chosen.epochs:
        over["train"] = {"epochs": chosen.epochs}
        for row in REFERENCES:
            settings["variants"][row].get("train", {}).pop("epochs", None)
    if chosen.quick:
        over["folds"] = {"count": 2}
        over["tracking"] = {"live_after": None}  # MLflow would take longer than the training
    return inputs.merged(settings, over)


def main() -> None:
    """Measure, and write benchmarks/records/overhead.json, or overhead-default.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--default", action="store_true", help="default settings, as `make repro`")
    parser.add_argument("--epochs", type=int, help="of every row, instead of its own")
    parser.add_argument("--runs", type=int, default=5, help="of each no-op, in alternation")
    parser.add_argument("--place", type=Path, help="where to work and keep what was trained")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.runs, chosen.epochs = 1, 1
    settings = chosen_settings(chosen)
    targets = ["train"] if chosen.quick else []  # the rest of the stages take a minute
    with inputs.temporary_folder() as folder:
        place = chosen.place or folder
        found = measure(settings, chosen.runs, targets, chosen.default, place)
    about = {key: settings[key] for key in ("data", "folds", "train")}
    about["variants"] = settings["compare"]["variants"]
    about["data"] = {key: value for key, value in about["data"].items() if key != "folder"}
    name = "overhead-default" if chosen.default else "overhead"
    print(measured.write(name, {"settings": about} | found, chosen.folder))


if __name__ == "__main__":
    main()
