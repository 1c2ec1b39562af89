"""`python -m benchmarks.accuracy ROW ...`: the accuracy of variants on full MNIST.

The real stages run in a separate folder, with the settings of accuracy.yaml on top of params.yaml.
Folds stored by an earlier run are not trained again. The test set is scored once per model, after
training, and is never used for selection. Times are measured elsewhere, because a long training
may share the machine.

The members of the row `ensemble` are selected from other rows by out-of-fold scores: first the best
single one, then repeatedly the one that most raises the accuracy of the mean (Caruana et al.,
Ensemble selection from libraries of models, 2004; here without replacement).
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured
from stages import files
from stages.engine import final_model, fold_store, fold_tasks, identity
from stages.engine.predict import score
from stages.engine.resolve import recipe
from stages.settings import params
from stages.settings.sections import Parallel
from stages.statistics.paired import mean_std
from stages.train import read_training_data

ROWS = inputs.MNIST["rows"]


def accuracy(row: str, limit: int | None = None) -> Path:
    """Train one row of accuracy.yaml, score it, and write benchmarks/records/accuracy-<row>.json.

    Args:
        row: a name under `rows`.
        limit: train on at most this many images, for one epoch and two folds, to try the command.

    Returns:
        The record's path; with a limit, it is in the run's folder, not in records.
    """
    about = ROWS[row]
    rows = about.get("among", [row])
    folder = files.root() / ".foldlab" / "accuracy" / (f"{row}-quick" if limit else row)
    folder.mkdir(parents=True, exist_ok=True)
    settings = inputs.on_mnist(*rows)
    if limit:
        settings["data"]["limit"] = limit
        settings["folds"]["count"] = 2
        for name in rows:
            settings["variants"][name].setdefault("train", {})["epochs"] = 1

    os.chdir(folder)
    inputs.write_settings(Path(), settings)
    _stage("prepare")
    if "seeds" in about:
        scores = _seeds(row, about["seeds"])
    elif "among" in about:
        scores = _ensemble(row, rows, settings)
    else:
        scores = _folds(row)
    result = {"row": row, **about, **scores}
    return measured.write(f"accuracy-{row}", result, folder if limit else measured.RECORDS)


def _folds(row: str) -> dict[str, Any]:
    """Run the stages; return the scores of the folds, and of their models on the test set."""
    _stage("train", row)
    _stage("evaluate", row)
    results = Path("results") / row
    metrics = files.read_json(results / "metrics.json")
    folds = files.read_table(results / "folds.csv")
    images = np.load("data/prepared/test_images.npy", mmap_mode="r")
    labels = np.load("data/prepared/test_labels.npy")
    kernels = inputs.MNIST["settings"]["train"]["kernels"]
    scores = score(results / "model.keras", images, labels, Parallel(), kernels)  # cached
    on_test = (scores.by_member.argmax(axis=2) == labels).mean(axis=1)
    return {
        "cv": mean_std(np.array([fold["accuracy"] for fold in folds])),
        "cv_folds": [fold["accuracy"] for fold in folds],
        "members_test": mean_std(on_test),
        "members_test_each": on_test.tolist(),
        "vote_test": metrics["test"]["accuracy"],
        "test_images": len(labels),
        "epochs": [fold["epochs"] for fold in folds],
        "parameters": metrics["parameters"],
        "settings": files.read_json(results / "training.json")["settings"],
    }


def _ensemble(row: str, rows: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Train the `rows` not stored yet, select members, and return the scores of their mean."""
    probabilities = {}
    for name in rows:
        _stage("train", name)
        with np.load(Path("results") / name / "out_of_fold.npz") as stored:
            probabilities[name], labels = stored["oof_probability"], stored["oof_label"]
    steps = chosen(probabilities, labels)
    members = [step["added"] for step in steps]
    settings["variants"][row] = {"ensemble": members}
    settings["compare"] |= {"variants": [row], "baseline": row}
    inputs.write_settings(Path(), settings)
    _stage("members")
    return {"chosen": steps, **_folds(row)}


def chosen(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> list[dict[str, Any]]:
    """Choose at least two of several variants for the mean of their probabilities.

    Args:
        probabilities: variant -> out-of-fold, float32 (repeats, n, classes).
        labels: int64 (n,).

    Returns:
        For each step, the variant added and the out-of-fold accuracy after it; ties go to the
        first.
    """
    steps: list[dict[str, Any]] = []
    total, reached = 0.0, -1.0
    while left := [name for name in probabilities if name not in {s["added"] for s in steps}]:
        scores = {
            name: float(((total + probabilities[name]).argmax(axis=2) == labels).mean())
            for name in left
        }
        best = max(scores, key=scores.__getitem__)
        if scores[best] <= reached and len(steps) > 1:
            break
        total, reached = total + probabilities[best], scores[best]
        steps.append({"added": best, "out_of_fold_accuracy": reached, "others": scores})
    return steps


def _seeds(row: str, count: int) -> dict[str, Any]:
    """Train on all training images with `count` seeds; return each model's test accuracy."""
    base = recipe(params.load(), row)
    dataset = files.read_json(Path("data/prepared/dataset.json"))
    arrays = read_training_data(dataset)
    images = np.load("data/prepared/test_images.npy", mmap_mode="r")
    labels = np.load("data/prepared/test_labels.npy")
    units = []
    for seed in range(1, count + 1):
        train = base.train.model_copy(update={"seed": seed, "final": "refit"})
        chosen = base.model_copy(update={"train": train})
        units.append(
            fold_tasks.FoldTask(identity.fingerprint(chosen, dataset["sha256"]), chosen, "refit")
        )
    fold_tasks.run_folds(units, arrays, Parallel())
    on_test, seconds = [], []
    for unit, record in zip(units, fold_tasks.records(units), strict=True):
        kept = unit.recipe.train.model_copy(update={"final": "best_fold"})
        alone = unit.recipe.model_copy(update={"train": kept})
        final_model.model([unit._replace(recipe=alone)], arrays, Parallel())
        file = fold_store.folder(unit.fingerprint) / "model.keras"
        vote = score(file, images, labels, Parallel(), base.train.kernels).probability
        on_test.append(float((vote.argmax(axis=1) == labels).mean()))
        seconds.append(round(float(record.times[:, 1].sum()), 2))
    return {
        "seeds_test": mean_std(np.array(on_test)),
        "seeds_test_each": on_test,
        "test_images": len(labels),
        "fit_seconds_each": seconds,
        "parameters": sum(weights.size for weights in record.weights),
        "settings": base.model_dump(),
    }


def _stage(name: str, *arguments: str) -> None:
    """Run a stage in the current folder; exit with its status if it fails."""
    ended = subprocess.run(
        [sys.executable, "-m", "stages", name, *arguments],
        env=os.environ | {"PYTHONPATH": str(inputs.ROOT), "DVC_ROOT": str(files.root())},
    )
    if ended.returncode:
        sys.exit(ended.returncode)


def main() -> None:
    """Measure the rows that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="+", choices=[*ROWS], metavar="ROW")
    parser.add_argument("--quick", action="store_true", help="300 images and one epoch, to try it")
    given = parser.parse_args()
    os.environ.setdefault("DVC_ROOT", str(Path.cwd()))
    for row in given.rows:
        print(accuracy(row, 300 if given.quick else None))


if __name__ == "__main__":
    main()
