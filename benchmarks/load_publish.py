"""Many people who publish at once to a team's server with PostgreSQL."""

import shutil
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from benchmarks import inputs, processes, publish
from tests.tracking import team as server

RUNS = publish.FOLDS + 1  # per variant


def publishing(folder: Path, people: int, filled: int, times: int) -> dict[str, Any]:
    """Time publishing over few runs and over `filled`, which people publish at the same time.

    Args:
        folder: an empty one to work in.
        people: how many publish at the same time, each an equal share of the runs.
        filled: minimum number of runs in the store at the end.
        times: measurements over few and over all runs; their median counts.
    """
    share = -(-filled // (people * RUNS))
    alone = [f"alone_{number}" for number in range(2 * times + 1)]
    theirs = [[f"of_{person}_{number}" for number in range(share)] for person in range(people)]
    root = publish.trained_on_digits(folder, alone)
    left = publish.copies(root / "results", alone)
    checkouts = [person(root, folder / names[0], names) for names in theirs]
    with server.started(folder, artifacts=folder / "artifacts", workers=2) as team:
        anna = {key: text for key, text in team.client("anna").items() if key[:7] == "MLFLOW_"}
        publish.seconds(root, next(left), **anna)  # makes the experiment
        few = [publish.seconds(root, next(left), **anna) for _ in range(times)]
        began = time.perf_counter()
        at_once(checkouts, anna)
        taken = time.perf_counter() - began
        all_runs = [publish.seconds(root, next(left), **anna) for _ in range(times)]
        held = complete(team, [*alone, *chain(*theirs)])
        models = len([*(folder / "artifacts").rglob("model.keras")])
    return {
        "people": people,
        "variants_each": share,
        "folds": publish.FOLDS,
        "at_once": {
            "seconds": round(taken, 1),
            "runs_per_second": round(people * share * RUNS / taken, 2),
        },
        **publish.compared(few, all_runs),
        **held,
        "model_files": models,
    }


def person(root: Path, folder: Path, names: list[str]) -> Path:
    """Make and return a checkout with results of these variants, copied from those in `root`."""
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    settings["variants"] |= {name: {"architecture": "basic"} for name in names}
    settings["compare"] |= {"variants": names, "baseline": names[0]}
    inputs.prepare(folder, settings, root)
    shutil.copytree(root / "results" / "basic", folder / "results" / "basic")
    for _ in publish.copies(folder / "results", names):
        pass
    return folder


def at_once(checkouts: list[Path], environment: dict[str, str]) -> None:
    """Publish all variants of each checkout, all checkouts at the same time.

    Raises:
        OSError: if one of them could not publish everything; the message has its output.
    """
    given = processes.environment(PYTHONPATH=str(inputs.ROOT), **environment)
    command = [sys.executable, "-m", "stages", "publish", "--all"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen(command, cwd=path, env=given, **pipe) for path in checkouts]
    ended = [(process.communicate()[0], process.returncode) for process in started]
    if failed := [output for output, status in ended if status]:
        raise OSError(f"{len(failed)} of {len(started)} could not publish: {failed[0].strip()}")


def complete(team: server.Team, names: list[str]) -> dict[str, Any]:
    """Return what the server has of the variants, and how many are incomplete.

    A variant is complete if all its runs are finished and it has a model version and as many metric
    points and parameters as the first one, which was published alone.
    """
    query = """
        select variant.value, count(*), count(*) filter (where runs.status = 'FINISHED'),
            sum((select count(*) from metrics where metrics.run_uuid = runs.run_uuid)),
            sum((select count(*) from params where params.run_uuid = runs.run_uuid)),
            count(version.version)
        from runs
        join tags variant on variant.run_uuid = runs.run_uuid and variant.key = 'variant'
        left join model_versions version
            on version.run_id = runs.run_uuid and version.status = 'READY'
        where lifecycle_stage = 'active' and variant.value = any(%s) group by variant.value"""
    with team.database("mlflow") as connection:
        rows = connection.execute(query, [names]).fetchall()
    held = {name: tuple(map(int, row)) for name, *row in rows}
    whole = [name for name, row in held.items() if row == held[names[0]]]
    return {
        "runs": sum(row[0] for row in held.values()),
        "metric_points": sum(row[2] for row in held.values()),
        "variants": len(names),
        "variants_incomplete": len(names) - len(whole),
    }
