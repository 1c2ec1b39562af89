"""`python -m benchmarks.faults`: let every n-th system call of each command fail.

A sliver of the pipeline runs undisturbed once. Then each command runs again from the state before
it, while its n-th open, write, fsync, rename or mkdir fails, or it is killed before its n-th
rename, for n = 1, 2, 3 and so on. It must end with one sentence and no damaged file, and when it
is run once more, what it writes must be the undisturbed bytes.
"""

import json
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks import checkout, inputs, measured, preloaded
from benchmarks.preloaded import Ended, Watched
from stages.data import mnist
from stages.errors import UserError
from stages.files import read_arrays, read_table
from stages.settings.sections import Data

ERRORS = {  # what each call may end with
    "open": ("ENOSPC", "EIO"),
    "write": ("ENOSPC", "EIO", "short"),  # short: half of the bytes, which is no error
    "fsync": ("EIO",),
    "rename": ("EIO", "kill"),
    "mkdir": ("ENOSPC",),
}
IMAGES = 400
TRAINED = ("augmentation.npz", "folds.csv", "history.csv", "model.keras", "out_of_fold.npz")
TRAINED += ("training.json", "timing.csv")
# Files with times, whose bytes differ between runs: they must be complete.
VARYING = ["results/*/timing.csv", ".foldlab/folds/*/fold-*.npz", ".foldlab/folds/*/training.json"]
VARYING += ["results/cost.csv", "results/plots/cost.png", "results/measurements.*"]
VARYING += ["results/*/export/*.json"]
# What MLflow has is compared by queries. Temporary files may only be left by a killed process.
IGNORED = ["mlflow.db*", "mlartifacts/*", "*.lock", ".foldlab/runs/*", "*.partial-*"]
NOTES = ".foldlab/unpublished/*"  # only while MLflow lacks something
STORE = [
    "select name, status from runs order by 1, 2",
    "select key, count(*) from latest_metrics group by key order by 1",
    "select count(*) from params",
    "select name, version from model_versions order by 1, 2",
    "select name, alias, version from registered_model_aliases order by 1, 2",
    "select name, status, lifecycle_stage from logged_models order by 1, 2",
]


class Case(NamedTuple):
    """A command, the state it starts from, and how often it is disturbed."""

    name: str
    command: list[str]
    state: str  # as `prepared` names them
    removed: tuple[str, ...] = ()  # of that state, as patterns: what the command writes
    most: int = 10_000  # calls of one kind that fail in one way; if there are more, a sample
    change: Callable[[Path], None] = lambda folder: None


def _cases() -> list[Case]:
    one, store = "results/basic", (".foldlab/scores/*",)
    folds, stored = ".foldlab/folds/*/fold-*", ".foldlab/folds/*/*.npz"
    trained = tuple(f"{one}/{name}" for name in TRAINED)
    evaluated = ("fold_scores.csv", "mistakes.csv", "occlusion.npz", "per_class.csv")
    evaluated += ("predictions.npz", "thresholds.csv", "metrics.json", "confusion.csv")
    scored = tuple(f"{one}/{name}" for name in evaluated)
    models = ".foldlab/folds/*/model.keras"
    compared = ("results/comparison.*", "results/pairs.csv", "results/label_issues.csv")
    compared += ("results/report.html", "results/plots/*")
    return [
        Case("environment", ["environment"], "done", ("data/environment.json",)),
        Case("prepare", ["prepare"], "done", ("data/prepared/*",)),
        Case("members", ["members"], "done", ("data/members/*",)),
        Case("train, folds stored", ["train", "basic"], "done", trained),
        Case("train", ["train", "basic"], "done", (*trained, folds, stored, models), 12),
        Case("evaluate, scores stored", ["evaluate", "basic"], "done", scored),
        Case("evaluate", ["evaluate", "basic"], "done", (*scored, *store), 4),
        Case("plot", ["plot", "basic"], "done", (f"{one}/plots/*", f"{one}/model_card.md"), 40),
        Case("publish", ["publish", "basic"], "unpublished", (), 60),
        Case("publish, new store", ["publish", "basic"], "plotted", (), 12),
        Case("compare", ["compare"], "done", compared, 40),
        Case("champion", ["champion"], "compared", (), 60),
        Case("sweep", ["sweep"], "done", (*trained, folds, stored, models, *store), 4),
        Case("new", ["new", "../digits.npz"], "done", (), 12),
        Case("fetch", ["fetch", "models:/foldlab/1"], "done"),
        Case(
            "predict",
            ["predict", "../digit.png", "--output", "drawn.png", "--csv", "table.csv"],
            "done",
            (),
            3,
        ),
        Case("export", ["export", "basic", "--format", "onnx"], "done", (), 3),
        Case("cost", ["cost"], "done", (), 3),
        Case("learning-curve", ["learning-curve", "basic"], "curve", ("results/learning*",), 20),
        Case("suite", ["suite"], "suite", ("results/suite.csv", ".foldlab/suite/*"), 20),
        Case("prune", ["prune", "--yes"], "done", (), change=_leave),
        Case("promote", ["promote", "basic", "--reason", "a"], "done", (), 40),
        Case("pairs", ["pairs"], "done"),
    ]


def _leave(folder: Path) -> None:
    """Leave results, and entries of dvc.lock, of a variant without a row."""
    shutil.copytree(folder / "results/basic", folder / "results/gone")
    stages = {f"train@{variant}": {"cmd": "true"} for variant in ("basic", "gone")}
    (folder / "dvc.lock").write_text(inputs.yaml.safe_dump({"schema": "2.0", "stages": stages}))


QUICK = ("members", "train, folds stored")


def harness(watched: Watched, names: Collection[str], most: int | None, quick: bool) -> dict:
    """Disturb commands, and return for each the calls, the faults injected and those found.

    Args:
        watched: where.
        names: of cases; none: all.
        most: calls of one kind that fail in one way; None: as each case has it.
        quick: without evaluation, MLflow and a second variant.
    """
    folder = watched.folder
    chosen = [case for case in _cases() if case.name in names or not names]
    states = prepared(watched, {case.state for case in chosen}, quick)
    found: dict = {"commands": {}, "faults": []}
    for case in chosen:
        rows, faults = disturbed(watched, case, states[case.state], most or case.most)
        found["commands"][case.name] = rows
        found["faults"] += [f"{case.name}: {fault}" for fault in faults]
        print(case.name, json.dumps(rows), *faults, sep="\n", flush=True)
    rows = found["commands"].values()
    shutil.rmtree(folder)
    return {
        "calls": sum(sum(row["calls"].values()) for row in rows),
        "injected": sum(row["injected"] for row in rows),
    } | found


def prepared(watched: Watched, wanted: set[str], quick: bool) -> dict[str, Path]:
    """Run the pipeline, and return copies of the folder at some of its moments, by name."""
    folder = watched.folder
    settings = inputs.merged(inputs.defaults(), checkout.SLIVER)
    digits = folder.parent / "digits.npz"
    _digits(digits)
    data = {"source": str(digits), "watch": str(digits), "limit": None}
    sources = [str(digits), "mnist-5k"]
    settings = inputs.merged(settings, {"data": data, "parallel": {"jobs": 2}})
    folder.mkdir()
    inputs.write_settings(folder, settings)
    rows = ["basic"] if quick else ["basic", "batchnorm"]

    def run(*commands: str) -> None:
        for command in commands:
            ended = watched.run(command.split())
            if ended.status:
                raise OSError(f"{command} failed: {ended.said}")

    states = {}

    def keep(name: str) -> None:
        states[name] = folder.parent / name
        shutil.copytree(folder, states[name])

    run("environment", "prepare", "members", *(f"train {row}" for row in rows))
    if quick:
        keep("done")
        return states
    run(*(f"{stage} {row}" for row in rows for stage in ("evaluate", "plot")))
    keep("plotted")
    run("publish batchnorm")
    keep("unpublished")
    run("publish basic", "compare")
    keep("compared")
    run("champion")
    keep("done")
    if "curve" in wanted:  # whose folds are stored
        run("learning-curve basic")
        keep("curve")
        restore(folder, states["done"])
    if "suite" in wanted:
        suite = [{"source": sources[0]}, {"source": sources[1], "limit": IMAGES}]
        inputs.write_settings(folder, settings | {"suite": {"sources": suite}})
        run("suite")
        keep("suite")
    return states


def _digits(path: Path) -> None:
    """Write some digits as an .npz file, so that no setting limits their number, and as a PNG."""
    source = mnist.load_5k(Data(source="mnist-5k"))
    some = slice(None, None, len(source.train.labels) // IMAGES)  # they are sorted by class
    images, labels = source.train.images[some], source.train.labels[some]
    np.savez(path, images=images[..., 0], labels=labels)
    Image.fromarray(images[0, ..., 0]).save(path.with_name("digit.png"))


def restore(folder: Path, state: Path) -> None:
    """Make the folder a copy of a state."""
    shutil.rmtree(folder)
    shutil.copytree(state, folder)


def disturbed(watched: Watched, case: Case, state: Path, most: int) -> tuple[dict, list[str]]:
    """Return the calls of a command, how many failed in what way, and the faults that were seen."""
    folder = watched.folder

    def start() -> None:
        restore(folder, state)
        for pattern in case.removed:
            for path in folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        case.change(folder)

    start()
    before = content(folder)
    calm = watched.run(case.command)
    if calm.status:
        return {"calls": {}, "injected": 0}, [f"undisturbed, it failed: {calm.said}"]
    after, stored = content(folder), store(folder)
    injected: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    faults: list[str] = []
    for kind, number, error in _injections(calm.counts, most):
        start()
        ended = watched.run(case.command, (kind, number, error))
        if not ended.at:  # fewer calls than undisturbed
            continue
        injected[f"{kind} {error}"] += 1
        found = list(inspect(ended, error, before, after, content(folder)))
        again = watched.run(case.command)
        if again.status:
            found.append(f"the next run failed: {again.said}")
        now = content(folder)
        differ = [name for name in after.keys() | now if after.get(name) != now.get(name)]
        found += [f"differs: {name}" for name in sorted(differ)]
        found += [f"left: {path.relative_to(folder)}" for path in folder.rglob(".partial-*")]
        if store(folder) != stored:
            found.append("MLflow has something else")
        endings["refused" if ended.status > 0 else "killed" if ended.status else "went on"] += 1
        faults += [f"{kind} {number} ({error}, {ended.at}): {what}" for what in found]
    row = {"calls": calm.counts, "injected": injected.total(), "by_error": dict(injected)}
    return row | {"endings": dict(endings)}, faults


def _injections(counts: dict[str, int], most: int) -> Iterator[tuple[str, int, str]]:
    for kind, count in counts.items():
        numbers = np.unique(np.linspace(1, count, min(count, most)).round().astype(int)).tolist()
        for error in ERRORS[kind]:
            yield from ((kind, number, error) for number in numbers)


Files = Mapping[str, bytes]  # name -> bytes, as from `content`


def inspect(ended: Ended, error: str, before: Files, after: Files, now: Files) -> Iterator[str]:
    """Yield what is wrong right after a disturbed command."""
    lines = ended.said.splitlines()
    sentences = [line for line in lines if line.startswith("foldlab: ")]
    if error == "kill":
        if ended.status != -9:
            yield f"it was not killed: status {ended.status}"
    elif ended.status > 0 and not (len(sentences) == 1 and sentences[0] == lines[-1]):
        yield f"status {ended.status}, but not one sentence: {ended.said[-600:]}"
    elif ended.status < 0:
        yield f"status {ended.status}: {ended.said[-600:]}"
    elif error == "short" and ended.status:
        yield f"a short write is no error: {ended.said[-600:]}"
    elif not ended.status and not sentences:  # the fault had no consequence
        differ = (name for name in after if now.get(name) != after[name])
        yield from (f"status 0 and nothing said, but it differs: {name}" for name in differ)
    for name, data in now.items():
        if data not in (before.get(name), after.get(name)) and not fnmatch(name, NOTES):
            yield f"half-written: {name}"


def content(folder: Path) -> Files:
    """Return the bytes of each file; of one that varies, whether it is complete."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and not any(fnmatch(name, pattern) for pattern in IGNORED):
            varies = any(fnmatch(name, pattern) for pattern in VARYING)
            found[name] = _complete(path) if varies else path.read_bytes()
    return found


def _complete(path: Path) -> bytes:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                read_arrays(path, stored.files)
        elif path.suffix == ".csv":
            read_table(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".png":
            Image.open(path).load()
        else:
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    except (OSError, UserError, ValueError, AssertionError) as error:
        return f"damaged: {error}".encode()
    return b"complete"


def store(folder: Path) -> list:
    """Return what MLflow's store has, without times and random ids."""
    if not (folder / "mlflow.db").exists():
        return []
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return [database.execute(query).fetchall() for query in STORE]


def main() -> None:
    """Disturb, compare, and write benchmarks/records/faults.json; status 1 on any fault."""
    parser = inputs.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="COMMAND", help="such as 'plot'; else all")
    parser.add_argument("--most", type=int, help="calls of one kind that fail in one way")
    chosen = parser.parse_args()
    if not preloaded.is_preloaded():
        with inputs.workplace() as folder:
            sys.exit(preloaded.again("benchmarks.faults", sys.argv[1:], folder))
    names, most = (QUICK, 2) if chosen.quick else (chosen.names, chosen.most)
    found = harness(Watched(), names, most, chosen.quick)
    print(measured.write("faults", found, chosen.folder))
    if found["faults"]:
        sys.exit("foldlab: " + "\n".join(found["faults"]))


if __name__ == "__main__":
    main()
