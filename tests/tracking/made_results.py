"""Result folders as the pipeline would write them, and the whole content of an SQLite store."""

import hashlib
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np

from stages.files import sha256, write_table
from stages.settings import params
from stages.statistics.metrics import METRICS
from stages.tracking import record
from stages.tracking.marker import Identity
from tests.prepared import TRAIN, dataset
from tests.tracking.served import free_port

PARAMS = (
    f"train: {json.dumps(TRAIN)}"
    + """
variants:
  basic: {architecture: basic, description: The baseline.}
  other: {architecture: basic}
  third: {architecture: basic}
compare: {variants: [basic, other, third], baseline: basic}
"""
)
DATA_SHA256 = hashlib.sha256(b"data").hexdigest()
IMAGES_SHA256 = hashlib.sha256(b"images").hexdigest()
BEGAN = 1_700_000_000_000  # ms since 1970, when the made training began
CONFUSIONS = ("confusion_matrix", "confusion_matrix_normalized")
PLOTS = ("calibration", "curves", "data_card", "mistakes", "occlusion", "samples", *CONFUSIONS)


def fingerprint(variant: str) -> str:
    return hashlib.sha256(variant.encode()).hexdigest()


def identity(variant: str) -> Identity:
    """Return the identity by which results in the working folder are found in MLflow."""
    return record.read(variant, params.load()).identity


def make_repository(root: Path, *variants: str, folds: int = 2, epochs: int = 2) -> Path:
    """Write params.yaml, dataset.json and the results of some variants below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(PARAMS)
    prepared = root / "data" / "prepared"
    prepared.mkdir(parents=True, exist_ok=True)
    digests = {"sha256": DATA_SHA256, "images_sha256": IMAGES_SHA256}
    sizes = [400_000, 400_000], [10, 10]  # so many that a constant difference is significant
    content = dataset("mnist-5k", ["zero", "one"], (28, 28, 1), *sizes, folds, **digests)
    (prepared / "dataset.json").write_text(json.dumps(content))
    for number, variant in enumerate(variants or ("basic",)):
        make_results(root / "results" / variant, variant, folds, epochs, number / 100)
    return root


def make_results(folder: Path, variant: str, folds: int, epochs: int, better: float) -> None:
    """Write what train, evaluate and plot write for a variant."""
    accuracy = [0.9 + fold / 1000 + better for fold in range(folds)]
    rows = [(fold, epoch) for fold in range(folds) for epoch in range(1, epochs + 1)]
    write_table(
        folder / "folds.csv",
        ("fold", "accuracy", "loss", "best_epoch", "epochs", "train_images", "val_images"),
        [(fold, accuracy[fold], 0.25, epochs, epochs, 40, 40) for fold in range(folds)],
    )
    write_table(
        folder / "fold_scores.csv",
        ("fold", *METRICS),
        [(fold, *[accuracy[fold]] * len(METRICS)) for fold in range(folds)],
    )
    write_table(
        folder / "history.csv",
        ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"),
        [(f, e, 1 / e, 0.5 + e / 100, 2 / e, accuracy[f], 0.001) for f, e in rows],
    )
    write_table(
        folder / "timing.csv",
        ("fold", "epoch", "time", "seconds", "fingerprint"),
        [(f, e, BEGAN + 10_000 * f + 1000 * e, 1.0, fingerprint(variant)) for f, e in rows],
    )
    training = {
        "fingerprint": fingerprint(variant),
        "data_sha256": DATA_SHA256,
        "parameters": 225034,
        "final": "soft_vote",
        "environment": {"kernels": "portable"},
        "settings": {
            "architecture": {"name": "basic", "arguments": {"filters": 32}},
            "augmentation": [{"name": "rotate", "arguments": {"degrees": 10}}],
            "train": {"epochs": epochs, "learning_rate": 0.001, "early_stopping": None},
        },
    }
    (folder / "training.json").write_text(json.dumps(training))
    metrics = {
        "cv": {
            "accuracy": {"mean": float(np.mean(accuracy)), "std": 0.01, "n": folds},
            "loss": {"mean": 0.25, "std": 0.02, "n": folds},
        },
        "test": {"accuracy": 0.95, "loss": 0.2, "macro_f1": 0.94},
        "parameters": 225034,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    for name in ("confusion.csv", "mistakes.csv"):
        (folder / name).write_text(f"{variant}\n{name}\n")
    (folder / "per_class.csv").write_text("class\nzero\none\n")
    (folder / "plots").mkdir(exist_ok=True)
    for name in PLOTS:
        (folder / "plots" / f"{name}.png").write_bytes(f"{variant} {name}".encode())
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), '{"keras_version": "3.15.1"}')
        archive.writestr(zipfile.ZipInfo("weights"), variant)
    score(folder)


def score(folder: Path) -> None:
    """Write predictions.npz and the card, as `evaluate` and `plot` do for the model file."""
    model = sha256(folder / "model.keras")
    (folder / "model_card.md").write_text(f"The card of {folder.name}, {model}\n")
    np.savez(folder / "predictions.npz", test_label=np.arange(3), model_sha256=model)


def dead_address() -> str:
    """Return an address on loopback where no server listens."""
    return f"127.0.0.1:{free_port()}"


def everything(root: Path) -> dict:
    """Return each row of each table of a store and each artifact's bytes, just as they are."""
    tables = {}
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'"):
            cursor = connection.execute(f'select * from "{table}"')
            columns = [column[0] for column in cursor.description]
            tables[table] = [dict(zip(columns, row, strict=True)) for row in cursor]
    files = sorted(path for path in (root / "mlartifacts").rglob("*") if path.is_file())
    artifacts = {str(path.relative_to(root)): path.read_bytes() for path in files}
    return {**tables, "artifacts": artifacts}


# when a row was written, and ids that nothing refers to
VOLATILE = re.compile(r"creation_time|last_updated?_time|input_uuid")


def without_ids(root: Path) -> dict:
    """Return `everything` in order, with names instead of random ids, and without write times."""
    store = everything(root)
    names = {run["run_uuid"]: f"<{run['name']}>" for run in store["runs"]}
    for model in store["logged_models"]:
        names[model["model_id"]] = f"<model of {names[model['source_run_id']]}>"
    names |= {row["dataset_uuid"]: f"<dataset {row['digest']}>" for row in store["datasets"]}
    names[str(root)] = "<root>"

    def named(text: str) -> str:
        for random, name in names.items():
            text = text.replace(random, name)
        return text

    artifacts = {}
    for path, content in store.pop("artifacts").items():
        if path.endswith("MLmodel"):
            lines = named(content.decode()).splitlines()
            unstable = ("utc_time_created", "model_uuid")
            content = "\n".join(line for line in lines if not line.startswith(unstable)).encode()
        if ".artifact.uploading." not in path:  # MLflow's temporary file, left by a killed process
            artifacts[named(path)] = content

    def stable(row: dict) -> str:
        kept = {key: value for key, value in row.items() if not VOLATILE.match(key)}
        return named(json.dumps(kept, default=str))

    tables = {table: sorted(map(stable, rows)) for table, rows in store.items()}
    return {**tables, "artifacts": artifacts}


def make_comparison(root: Path, verdict: str = "undecided: +1.00 points", **means: float) -> None:
    """Write comparison.md, and the columns of comparison.csv that reach MLflow."""
    columns = ("variant", "baseline", "cv_mean", "difference", "ci_low", "ci_high")
    tested = (0.01, -0.005, 0.025, verdict, verdict.split(" ")[0].rstrip(":"))
    rows = {name: (name, "basic", mean, *tested) for name, mean in means.items()}
    rows["basic"] = ("basic", "basic", means["basic"], None, None, None, "baseline", "baseline")
    write_table(root / "results/comparison.csv", (*columns, "verdict", "outcome"), rows.values())
    text = "# Comparison\n\n![x](y.png)\n| a | b |\n" + "too long for a note" * 300
    (root / "results/comparison.md").write_text(text)
