"""Read a variant's result files into the record that is logged to MLflow; no MLflow here."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stages.errors import UserError
from stages.files import PREPARED, RESULTS, listed, read_dataset, read_json, read_table
from stages.settings.params import Params

# The files that compare reads; publish writes their hashes to a marker file for DVC.
COMPARED = (
    "folds.csv",
    "history.csv",
    "predictions.npz",
    "metrics.json",
    "training.json",
    "plots/calibration.png",
    "plots/confusion_matrix.png",
    "plots/data_card.png",
)
NEEDED = {  # stage -> its files without which nothing is published
    "train": ("folds.csv", "history.csv", "training.json", "model.keras"),
    "evaluate": ("predictions.npz", "metrics.json", "per_class.csv"),
    "plot": (
        "model_card.md",
        "plots/curves.png",
        "plots/confusion_matrix.png",
        "plots/calibration.png",
        "plots/data_card.png",
        "plots/mistakes.png",
    ),
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
    results_sha256: str | None  # of the files that training wrote; None while it runs


@dataclass(frozen=True)
class Fold:
    """One fold, logged as a child run."""

    number: int
    params: dict[str, str]
    steps: list[tuple[str, float, int]]  # (metric, value, epoch)
    metrics: dict[str, float]
    times: dict[int, int]  # epoch -> its end in ms since 1970; empty without timing.csv
    start: int | None  # ms since 1970, if known

    @property
    def end(self) -> int | None:
        """The end of the last epoch, in ms since 1970, if known."""
        return max(self.times.values(), default=None)

    @property
    def sha256(self) -> str:
        """The hash of the measurements, which is equal for equal results."""
        return hashlib.sha256(repr((self.params, self.steps, self.metrics)).encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    """One variant: a parent run with its folds, files and model.

    During training it holds finished folds only: no metrics, files or model.
    """

    variant: str
    description: str
    identity: Identity
    params: dict[str, str]
    dataset: dict[str, Any]  # the content of dataset.json
    folds: list[Fold]
    start: int | None  # ms since 1970, if known
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)  # artifact path -> file
    model: Path | None = None

    @property
    def files_sha256(self) -> str:
        """The hash of all files."""
        return combined(self.files.values())

    @property
    def end(self) -> int | None:
        """The end of the last fold so far, in ms since 1970, if known."""
        return max((fold.end for fold in self.folds if fold.times), default=None)


def has_results(variant: str) -> bool:
    """Return whether all files exist that publishing needs."""
    return not any(_missing(variant))


def published(variant: str) -> Identity | None:
    """Return the identity in a variant's marker; None if it is missing or of an older version."""
    with suppress(FileNotFoundError, KeyError):
        content = read_json(RESULTS / "published" / f"{variant}.json")
        return Identity(content["fingerprint"], content["results_sha256"])
    return None


def _missing(variant: str) -> Iterator[tuple[str, Path]]:
    """Yield (stage, path) of each missing file."""
    for stage, names in NEEDED.items():
        for name in names:
            if not (path := RESULTS / variant / name).is_file():
                yield stage, path


def marker(record: Record) -> dict[str, Any]:
    """Return the content of results/published/<variant>.json, which depends on the files only."""
    folder = RESULTS / record.variant
    return {
        "variant": record.variant,
        **record.identity._asdict(),
        "sha256": {name: sha256(folder / name) for name in COMPARED},
    }


def read(variant: str, settings: Params) -> Record:
    """Read the files of one variant, a row of params.yaml.

    Raises:
        UserError: if the variant is unknown, or a file is missing, malformed, or of other data
            than the prepared data.
    """
    description = settings.variant(variant).description
    folder = RESULTS / variant
    for stage, path in _missing(variant):
        raise UserError(f"{path} is missing; run `dvc repro {stage}@{variant}`.")
    training = read_json(folder / "training.json")
    dataset = read_dataset(PREPARED)
    fingerprint = str(training["fingerprint"])
    if not re.fullmatch(r"[0-9a-f]{8,128}", fingerprint):
        raise UserError(
            f"{folder / 'training.json'} has the fingerprint {fingerprint!r}, which must be a hash "
            f"in hexadecimal digits; run `dvc repro -f train@{variant}`."
        )
    if training["data_sha256"] != dataset["sha256"]:
        raise UserError(
            f"{folder} was trained on other data than {PREPARED} holds now; "
            f"run `dvc repro train@{variant}`."
        )
    history = read_table(folder / "history.csv")
    timing = _timing(folder / "timing.csv", fingerprint)
    rows = read_table(folder / "folds.csv")
    folds = [_fold(row, history, timing, dataset) for row in rows]
    scores = leaves(read_json(folder / "metrics.json"), "_")
    metrics = {name: float(value) for name, value in scores if type(value) in (int, float)}
    if timing and len(timing) == len(history):
        metrics["fit_seconds"] = sum(row["seconds"] for row in timing)
    began = [row.get("began") or row["time"] for row in timing]
    files = {name: folder / name for name in ATTACHED if (folder / name).is_file()}
    files |= {f"plots/{path.name}": path for path in listed(folder / "plots", "*.png")}
    trained = combined(folder / name for name in ("folds.csv", "history.csv", "model.keras"))
    return Record(
        variant=variant,
        description=training.get("description") or description,
        identity=Identity(fingerprint, trained),
        params=_params(training["settings"], dataset),
        dataset=dataset,
        folds=folds,
        start=min([*began, *(fold.start for fold in folds if fold.times)], default=None),
        metrics=metrics,
        files=files,
        model=folder / "model.keras",
    )


def unfinished(
    marker: Mapping[str, Any], rows: list[dict], history: list[dict], timing: list[dict]
) -> Record:
    """Return the record of a running training.

    `marker` is the content of its start marker; see `stages.engine.tracker`. The others are the
    rows of folds.csv, history.csv and timing.csv, for the finished folds.
    """
    dataset = marker["dataset"]
    return Record(
        variant=marker["variant"],
        description=marker["description"],
        identity=Identity(marker["fingerprint"], None),
        params=_params(marker["settings"], dataset),
        dataset=dataset,
        folds=[_fold(row, history, timing, dataset) for row in rows],
        start=marker["began"],
    )


def leaves(
    content: Mapping[str, Any], separator: str = ".", prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield nested mappings as (joined keys, value); an empty mapping yields nothing."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from leaves(value, separator, f"{prefix}{key}{separator}")
        else:
            yield f"{prefix}{key}", value


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as (dotted key, text), with lists and scalars as in params.yaml."""
    for key, value in leaves(settings, prefix=prefix):
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fold(row: dict, history: list[dict], timing: list[dict], dataset: Mapping[str, Any]) -> Fold:
    """Return the fold in a row of folds.csv, with its rows of history.csv and timing.csv."""
    number = row["fold"]
    ends = {epoch["epoch"]: epoch["time"] for epoch in timing if epoch["fold"] == number}
    starts = [int(e["time"] - e["seconds"] * 1000) for e in timing if e["fold"] == number]
    return Fold(
        number=number,
        params={
            "fold": str(number),
            "repeat": str(number // dataset["folds"]["count"]),
            "train_images": str(row["train_images"]),
            "val_images": str(row["val_images"]),
        },
        steps=[
            (name, float(value), epoch["epoch"])
            for epoch in history
            if epoch["fold"] == number
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
        times=ends,
        start=min(starts, default=None),
    )


def _timing(path: Path, fingerprint: str) -> list[dict]:
    """Return the rows of timing.csv of this training; none of a missing or damaged file."""
    with suppress(FileNotFoundError, UserError):
        rows = read_table(path, ("fold", "epoch", "time", "seconds", "fingerprint"))
        return [row for row in rows if row["fingerprint"] == fingerprint]
    return []


def _params(settings: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a run: the variant's settings and what describes its data."""
    return dict(flat(settings)) | {
        "data.source": str(dataset["source"]),
        "data.classes": str(len(dataset["classes"])),
        "data.image_shape": "x".join(str(size) for size in dataset["image_shape"]),
        "data.train_images": str(dataset["train"]["images"]),
        "data.test_images": str(dataset["test"]["images"]),
        "folds.count": str(dataset["folds"]["count"]),
        "folds.repeats": str(dataset["folds"]["repeats"]),
    }


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def combined(paths: Iterable[Path]) -> str:
    """Return one hash of the names and contents of several files."""
    lines = sorted(f"{path.name} {sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
