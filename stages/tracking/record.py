"""Read the result files of a variant into the records that a tracker logs; no MLflow here."""

import contextlib
import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stages.errors import UserError
from stages.files import listed, read_dataset, read_json, read_table
from stages.settings.params import Params

# The files that compare reads; publish writes their hashes to a marker file for DVC.
COMPARED = (
    "folds.csv",
    "history.csv",
    "predictions.npz",
    "metrics.json",
    "training.json",
    "plots/data_card.png",
)
STAGE_OF = {
    "folds.csv": "train",
    "history.csv": "train",
    "training.json": "train",
    "model.keras": "train",
    "predictions.npz": "evaluate",
    "metrics.json": "evaluate",
    "per_class.csv": "evaluate",
    "plots/curves.png": "plot",
    "plots/confusion_matrix.png": "plot",
    "plots/calibration.png": "plot",
    "plots/data_card.png": "plot",
    "plots/mistakes.png": "plot",
    "model_card.md": "plot",
}
ATTACHED = (
    "folds.csv",
    "history.csv",
    "per_class.csv",
    "confusion.csv",
    "mistakes.csv",
    "metrics.json",
    "model_card.md",
)


class Identity(NamedTuple):
    """Identifies a training in a store that may be shared by several checkouts.

    The fingerprint alone is not enough, because results may differ between machines.
    """

    fingerprint: str
    results_sha256: str  # hash of the files that training wrote


@dataclass(frozen=True)
class Fold:
    """One fold, logged as a child run.

    `steps` holds (metric, value, epoch). `times` maps an epoch to its end in ms since 1970. If
    timing.csv lacks this fold, `times` is empty and `start` and `end` are None.
    """

    number: int
    params: dict[str, str]
    steps: list[tuple[str, float, int]]
    metrics: dict[str, float]
    times: dict[int, int]
    start: int | None
    end: int | None

    @property
    def sha256(self) -> str:
        """Return the hash of the measurements, which is equal for equal results."""
        measured = self.params, self.steps, self.metrics
        return hashlib.sha256(repr(measured).encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    """One variant: a parent run with its folds, files and model.

    During training it holds finished folds only: no metrics, files or model.
    """

    variant: str
    description: str
    fingerprint: str
    results_sha256: str | None  # hash of the files that training wrote
    data_sha256: str
    params: dict[str, str]
    metrics: dict[str, float]
    folds: list[Fold]
    files: dict[str, Path]  # artifact path -> file
    files_sha256: str | None
    model: Path | None
    dataset: dict[str, Any]  # data/prepared/dataset.json
    start: int | None
    end: int | None

    @property
    def identity(self) -> Identity:
        """Return what identifies this training; a running one has no hash of results yet."""
        return Identity(self.fingerprint, self.results_sha256)


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_results(variant: str, results: Path = Path("results")) -> bool:
    """Return whether all files exist that publishing needs."""
    return all((results / variant / name).is_file() for name in STAGE_OF)


def marker(record: Record, results: Path = Path("results")) -> dict[str, Any]:
    """Return the content of results/published/<variant>.json, which depends on the files only."""
    folder = results / record.variant
    return {
        "variant": record.variant,
        **record.identity._asdict(),
        "sha256": {name: sha256(folder / name) for name in COMPARED},
    }


def published(variant: str, results: Path = Path("results")) -> Identity | None:
    """Return the identity in a variant's marker; None if it is missing or of an older version."""
    try:
        content = read_json(results / "published" / f"{variant}.json")
        return Identity(content["fingerprint"], content["results_sha256"])
    except (FileNotFoundError, KeyError):
        return None


def read(
    variant: str,
    settings: Params,
    results: Path = Path("results"),
    prepared: Path = Path("data/prepared"),
) -> Record:
    """Read the files of one variant.

    Args:
        variant: a row of params.yaml.
        settings: the content of params.yaml.
        results: the folder with one folder per variant.
        prepared: the folder with dataset.json.

    Raises:
        UserError: if the variant is unknown, or a file is missing, malformed, or of other data
            than the prepared data.
    """
    described = settings.variant(variant).description
    folder = results / variant
    for name, stage in STAGE_OF.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; run `dvc repro {stage}@{variant}`.")
    training = read_json(folder / "training.json")
    dataset = read_dataset(prepared)
    fingerprint = str(training["fingerprint"])
    if not re.fullmatch(r"[0-9a-f]{8,128}", fingerprint):
        raise UserError(
            f"{folder / 'training.json'} has the fingerprint {fingerprint!r}, which must be a hash "
            f"in hexadecimal digits; run `dvc repro -f train@{variant}`."
        )
    if training["data_sha256"] != dataset["sha256"]:
        raise UserError(
            f"{folder} was trained on other data than {prepared} holds now; "
            f"run `dvc repro train@{variant}`."
        )

    timing, began = _timing(folder / "timing.csv", fingerprint)
    history = read_table(folder / "history.csv")
    folds = folds_of(read_table(folder / "folds.csv"), history, timing, dataset["folds"]["count"])
    metrics = dict(numbers(read_json(folder / "metrics.json")))
    if timing and all((row["fold"], row["epoch"]) in timing for row in history):
        metrics["fit_seconds"] = sum(seconds for _, seconds in timing.values())

    plots = listed(folder / "plots", "*.png")
    files = {name: folder / name for name in ATTACHED if (folder / name).is_file()}
    files |= {f"plots/{path.name}": path for path in plots}
    starts = [fold.start for fold in folds if fold.start is not None] + began
    ends = [fold.end for fold in folds if fold.end is not None]
    return Record(
        variant=variant,
        description=training.get("description") or described,
        fingerprint=fingerprint,
        results_sha256=combined(folder / n for n in ("folds.csv", "history.csv", "model.keras")),
        data_sha256=dataset["sha256"],
        params=dict(flat(training["settings"])) | dataset_params(dataset),
        metrics=metrics,
        folds=folds,
        files=files,
        files_sha256=combined(files.values()),
        model=folder / "model.keras",
        dataset=dataset,
        start=min(starts, default=None),
        end=max(ends, default=None),
    )


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as (dotted key, text), with lists and scalars as in params.yaml.

    An empty mapping yields nothing.
    """
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{prefix}{key}", text


def numbers(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in nested metrics as (keys joined by "_", value)."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{key}_")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", float(value)


def folds_of(rows: list[dict], history: list[dict], timing: dict, count: int) -> list[Fold]:
    """Return the folds described by folds.csv, history.csv and timing.csv.

    Args:
        rows: of folds.csv.
        history: of history.csv.
        timing: (fold, epoch) -> (end in ms since 1970, seconds), as far as known.
        count: number of folds per repeat.
    """
    by_fold: dict[int, list[dict]] = {row["fold"]: [] for row in rows}
    for row in history:
        by_fold.setdefault(row["fold"], []).append(row)
    return [_fold(row, by_fold[row["fold"]], timing, count) for row in rows]


def _fold(row: dict, history: list[dict], timing: dict, count: int) -> Fold:
    number = row["fold"]
    known = {epoch["epoch"]: timing.get((number, epoch["epoch"])) for epoch in history}
    times = {epoch: found[0] for epoch, found in known.items() if found}
    starts = [int(found[0] - found[1] * 1000) for found in known.values() if found]
    return Fold(
        number=number,
        params={
            "fold": str(number),
            "repeat": str(number // count),
            "train_images": str(row["train_images"]),
            "val_images": str(row["val_images"]),
        },
        steps=[
            (name, float(value), epoch["epoch"])
            for epoch in history
            for name, value in epoch.items()
            if name not in ("fold", "epoch") and isinstance(value, int | float)
        ],
        # `accuracy` and `loss` are taken: the training metrics of each epoch
        metrics={
            "cv_accuracy": float(row["accuracy"]),
            "cv_loss": float(row["loss"]),
            "best_epoch": float(row["best_epoch"]),
            "epochs": float(row["epochs"]),
        },
        times=times,
        start=min(starts, default=None),
        end=max(times.values(), default=None),
    )


def _timing(path: Path, fingerprint: str) -> tuple[dict, list[int]]:
    """Return (fold, epoch) -> (end in ms since 1970, seconds), and when this training began.

    These times are optional, so a row that a killed training left incomplete is skipped.
    """
    known: dict[tuple[int, int], tuple[int, float]] = {}
    began: list[int] = []
    if not path.is_file():
        return known, began
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["fingerprint"] == fingerprint:
                with contextlib.suppress(TypeError, ValueError):
                    key = int(row["fold"]), int(row["epoch"])
                    known[key] = int(float(row["time"])), float(row["seconds"])
                    began.append(int(row.get("began") or row["time"]))
    return known, began


def dataset_params(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return the run parameters that describe the data set."""
    return {
        "data.source": str(dataset["source"]),
        "data.classes": str(len(dataset["classes"])),
        "data.image_shape": "x".join(str(size) for size in dataset["image_shape"]),
        "data.train_images": str(dataset["train"]["images"]),
        "data.test_images": str(dataset["test"]["images"]),
        "folds.count": str(dataset["folds"]["count"]),
        "folds.repeats": str(dataset["folds"]["repeats"]),
    }


def combined(paths: Iterable[Path]) -> str:
    """Return one hash of the names and contents of several files."""
    lines = sorted(f"{path.name} {sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
