"""The commands that faults.py disturbs, and the states of a repository from which they start."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks import checkout, inputs
from benchmarks.preloaded import Watched
from stages.data import mnist
from stages.settings.sections import Data

IMAGES = 400
QUICK = ("members", "train, folds stored")  # names of cases
TRAINED = ("augmentation.npz", "folds.csv", "history.csv", "model.keras", "out_of_fold.npz")
TRAINED += ("training.json", "timing.csv")


class Case(NamedTuple):
    """A command, the state it starts from, and how often it is disturbed."""

    name: str
    command: list[str]
    state: str  # a key of what `prepared` returns
    removed: tuple[str, ...] = ()  # patterns of the command's outputs, deleted before it runs
    most: int = 10_000  # calls to disturb per kind and error; a sample if there are more
    change: Callable[[Path], None] = lambda folder: None


def cases() -> list[Case]:
    """Return all cases, in the order of a pipeline."""
    one, store = "results/basic", (".foldlab/scores/*",)
    folds, stored = ".foldlab/folds/*/fold-*", ".foldlab/folds/*/*.npz"
    trained = tuple(f"{one}/{name}" for name in TRAINED)
    evaluated = ("fold_scores.csv", "mistakes.csv", "occlusion.npz", "per_class.csv")
    evaluated += ("predictions.npz", "thresholds.csv", "metrics.json", "confusion.csv")
    scored = tuple(f"{one}/{name}" for name in evaluated)
    predict = ["predict", "../digit.png", "--output", "drawn.png", "--csv", "table.csv"]
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
        Case("predict", predict, "done", (), 3),
        Case("export", ["export", "basic", "--format", "onnx"], "done", (), 3),
        Case("cost", ["cost"], "done", (), 3),
        Case("learning-curve", ["learning-curve", "basic"], "curve", ("results/learning*",), 20),
        Case("suite", ["suite"], "suite", ("results/suite.csv", ".foldlab/suite/*"), 20),
        Case("prune", ["prune", "--yes"], "done", (), change=_leave),
        Case("promote", ["promote", "basic", "--reason", "a"], "done", (), 40),
        Case("pairs", ["pairs"], "done"),
    ]


def _leave(folder: Path) -> None:
    """Add results and dvc.lock entries of a variant that has no row."""
    shutil.copytree(folder / "results/basic", folder / "results/gone")
    stages = {f"train@{variant}": {"cmd": "true"} for variant in ("basic", "gone")}
    (folder / "dvc.lock").write_text(inputs.yaml.safe_dump({"schema": "2.0", "stages": stages}))


def prepared(watched: Watched, wanted: set[str], quick: bool) -> dict[str, Path]:
    """Run the pipeline, and return copies of the folder at several points, by name."""
    folder = watched.folder
    settings = inputs.merged(inputs.defaults(), checkout.SMALL)
    digits = folder.parent / "digits.npz"
    _digits(digits)
    data = {"source": str(digits), "watch": str(digits), "limit": None}
    sources = [str(digits), "mnist-5k"]
    settings = inputs.merged(settings, {"data": data, "parallel": {"jobs": watched.workers}})
    folder.mkdir()
    inputs.write_settings(folder, settings)
    rows = ["basic"] if quick else ["basic", "batchnorm"]

    def run(*commands: str) -> None:
        for command in commands:
            ended = watched.run(command.split())
            if ended.status:
                raise OSError(f"{command} failed: {ended.stderr}")

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
    if "curve" in wanted:  # with its folds stored
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
