"""`python -m benchmarks.load`: many clients of a champion, many publishers, many rows of settings.

- `serve`: clients with connections of their own ask the champion behind `mlflow models serve`, one
  image a request. An answer that differs from the one to a single client is an error.
- `publish`: people publish at once, each from a checkout, to a team's server with PostgreSQL and
  passwords; artifacts are in a folder. Afterwards the database must have all of each variant, and
  publishing is timed as in benchmarks/publish.py, over few runs and over all.
- `rows`: DVC and one stage with many rows in params.yaml, of which two are compared, then all.

Each part has a record of its own.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
import yaml

from benchmarks import checkout, inputs, measured, processes, publish
from stages.data.mnist import load_5k
from stages.settings.sections import Data
from tests.tracking import team as server
from tests.tracking.served import answers, free_port, running

IMAGES = 100  # different ones that clients ask for
TOLERANCE = 1e-5  # of a probability, for sums in another order
FOLDS = 5
RUNS = FOLDS + 1  # of a variant
COMMANDS = ("dvc repro environment prepare members", "dvc status", "python -m stages members")


def serve(folder: Path, clients: int, seconds: float) -> dict[str, Any]:
    """Return what clients measure at a champion served as docs/tracking.md shows."""
    root = trained(folder, [])
    for command in ("publish basic", "promote basic"):
        checkout.run(f"python -m stages {command}", root, PYTHONPATH=str(inputs.ROOT))
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/foldlab@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    given = processes.environment(
        MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
    )
    address = f"http://127.0.0.1:{port}"
    images = np.load(root / "data" / "prepared" / "train_images.npy")[:IMAGES]
    ready = answers(f"{address}/ping")
    with running(command, folder / "log", ready, cwd=root, env=given) as process:
        return asked(f"{address}/invocations", images, clients, seconds, process.pid)


def trained(folder: Path, names: list[str]) -> Path:
    """Make and return a folder with results of `basic`, of 200 digits without `data.limit`.

    With it, models would not be registered. Settings have `names` as variants too.
    """
    digits = load_5k(Data()).train
    np.savez(folder / "digits.npz", images=digits.images[::25], labels=digits.labels[::25])
    path = str(folder / "digits.npz")
    return publish.trained(folder / "root", names, FOLDS, {"source": path, "watch": path})


def asked(url: str, images: np.ndarray, clients: int, seconds: float, pid: int) -> dict[str, Any]:
    """Ask a served model with many clients at once, and return errors, throughput and latencies.

    Args:
        url: of its invocations.
        images: uint8, (n, height, width, channels); each request has one.
        clients: threads, each with a connection that is kept.
        seconds: how long.
        pid: of the server, whose memory is measured with its children's.
    """
    bodies = [json.dumps({"inputs": [image.tolist()]}) for image in images]
    found: list[tuple[int, float, str, list[float]]] = []  # image, seconds, error, probabilities
    end = time.monotonic() + seconds

    def ask(session: requests.Session, image: int) -> None:
        began, error, answer = time.perf_counter(), "", []
        try:
            got = session.post(
                url, bodies[image], headers={"Content-Type": "application/json"}, timeout=60
            )
            got.raise_for_status()
            answer = [*got.json()["predictions"][0].values()]
        except requests.RequestException as failure:
            error = type(failure).__name__
        found.append((image, time.perf_counter() - began, error, answer))

    def client(number: int) -> None:
        random = np.random.default_rng(number)
        with requests.Session() as session:
            while time.monotonic() < end:
                ask(session, int(random.integers(len(bodies))))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 10)
    early = memory(pid)
    for thread in threads:
        thread.join()
    late, of_load = memory(pid), found
    found = []
    with requests.Session() as session:
        for image in range(len(bodies)):
            ask(session, image)
    alone = {image: answer for image, _, _, answer in found}
    errors = Counter(
        error or "another answer"
        for image, _, error, answer in of_load
        if error or not np.allclose(answer, alone[image], rtol=0, atol=TOLERANCE)
    )
    latency = np.array([taken for _, taken, _, _ in of_load]) * 1000
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(of_load),
        "errors": sum(errors.values()),
        "errors_by_kind": dict(errors),
        "requests_per_second": len(of_load) / seconds,
        "latency_ms": {
            name: float(np.percentile(latency, share))
            for name, share in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
        },
        "alone_ms": float(np.median([taken for _, taken, _, _ in found])) * 1000,
        "server_mib_after_a_tenth": early,
        "server_mib_at_the_end": late,
    }


def memory(pid: int) -> float:
    """Return the MiB that a process holds with its children."""
    top = psutil.Process(pid)
    held = [each.memory_full_info().pss for each in (top, *top.children(recursive=True))]
    return round(sum(held) / 2**20, 1)


def publishing(folder: Path, people: int, filled: int, times: int) -> dict[str, Any]:
    """Return what publishing takes over few runs and over `filled`, which people published at once.

    Args:
        folder: an empty one to work in.
        people: that publish at once, each an equal share of the runs.
        filled: runs in the store in the end, at least.
        times: measurements over few and over all runs; their median counts.
    """
    share = -(-filled // (people * RUNS))
    alone = [f"alone_{number}" for number in range(2 * times + 1)]
    theirs = [[f"of_{person}_{number}" for number in range(share)] for person in range(people)]
    root = trained(folder, alone)
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
    medians = statistics.median(few), statistics.median(all_runs)
    return {
        "people": people,
        "variants_each": share,
        "folds": FOLDS,
        "at_once": {
            "seconds": round(taken, 1),
            "runs_per_second": round(people * share * RUNS / taken, 2),
        },
        "seconds": round(medians[0], 2),
        "seconds_all": [round(value, 2) for value in few],
        "seconds_there": round(medians[1], 2),
        "seconds_there_all": [round(value, 2) for value in all_runs],
        "times_as_long": round(medians[1] / medians[0], 2),
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
        OSError: when one of them could not publish everything; with what it said.
    """
    given = processes.environment(PYTHONPATH=str(inputs.ROOT), **environment)
    command = [sys.executable, "-m", "stages", "publish", "--all"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen(command, cwd=path, env=given, **pipe) for path in checkouts]
    ended = [(process.communicate()[0], process.returncode) for process in started]
    if failed := [said for said, status in ended if status]:
        raise OSError(f"{len(failed)} of {len(started)} could not publish: {failed[0].strip()}")


def complete(team: server.Team, names: list[str]) -> dict[str, Any]:
    """Return what the server holds of variants, and how many it lacks a part of.

    A variant is whole with all its runs finished, as many metric points and parameters as the
    first one, which was published alone, and a version of its model.
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


def rows(folder: Path, count: int) -> dict[str, Any]:
    """Return what commands cost in a repository with `count` variants in params.yaml.

    Not `dvc repro --dry`: DVC's dry run needs the uncached outputs of earlier stages.

    Args:
        folder: an empty one to work in.
        count: rows of `variants`; of them two are compared, and then all.
    """
    names = [f"row_{number}" for number in range(count)]
    found = {}
    for compared in (2, count):
        settings = inputs.defaults()
        settings["variants"] = {name: {"architecture": "basic"} for name in names}
        settings["compare"] |= {"variants": names[:compared], "baseline": names[0]}
        settings["search"]["variant"] = names[0]
        settings["data"]["limit"] = 200
        where = checkout.make(folder / str(compared), settings)
        found[str(compared)] = {
            command: processes.cost(command.split(), where, looking=0.2)._asdict()
            for command in COMMANDS
        }
    return {"rows": count, "compared": found}


PARTS = ("serve", "publish", "rows")


def main() -> None:
    """Measure, and write benchmarks/records/load-<part>.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=300, help="how long clients ask")
    parser.add_argument("--runs", type=int, default=2000, help="in the store that people fill")
    chosen = parser.parse_args()
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        os.environ.pop(name, None)
    quick = chosen.quick
    for part in chosen.parts:
        with inputs.workplace() as folder:
            if part == "serve":
                found = serve(folder, 50, 2 if quick else chosen.seconds)
            elif part == "publish":
                found = publishing(folder, *((2, 24, 1) if quick else (20, chosen.runs, 5)))
            else:
                found = rows(folder, 10 if quick else 1000)
        print(measured.write(f"load-{part}", found, chosen.folder))


if __name__ == "__main__":
    main()
