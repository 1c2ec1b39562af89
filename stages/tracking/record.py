"""Read a variant's result files into the record to log to MLflow, which is not imported here."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stages.errors import UserError
from stages.files import PREPARED, RESULTS, listed, read_arrays, read_dataset, read_json, read_table
from stages.settings.params import Params
from stages.tracking import marker, note
from stages.tracking.marker import Identity

DECIMALS = 6  # of scores: one image in a million


class Child(NamedTuple):
    """A child run: the fold of a training, or the trial of a search. Times are ms since 1970."""

    number: int
    name: str
    sha256: str  # hash of the measurements, which is equal for equal results
    params: Mapping[str, str]
    points: Sequence[tuple[str, float, int, int | None]]  # metric, value, step, time if known
    start: int | None  # None without timing.csv
    end: int | None
    tags: Mapping[str, str]
    status: str = "FINISHED"  # of the complete run


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
    folds: list[Child]
    start: int | None  # ms since 1970, if known
    limit: int | None = None  # `data.limit` if it left images out; then no model is registered
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)  # artifact path -> file


def remedy(stage: str, variant: str, settings: Params) -> str:
    """Return how to make a variant's results; DVC has stages only for those that are compared."""
    if variant in settings.compare.variants:
        return f"run `dvc repro {stage}@{variant}`"
    return f"add {variant} to compare.variants and run `dvc repro`"


def read(variant: str, settings: Params) -> Record:
    """Read the files of one variant, a row of params.yaml.

    Raises:
        UserError: if the variant is unknown, or a file is missing, malformed, not from the prepared
            data, or not from the model of the scores and the model card.
    """
    description = settings.variant(variant).description
    folder = RESULTS / variant
    for stage, path in marker.missing(variant):
        raise UserError(f"{path} is missing; {remedy(stage, variant, settings)}.")
    training = read_json(folder / "training.json", ("data_sha256", "fingerprint", "settings"))
    dataset = read_dataset(PREPARED)
    if training["data_sha256"] != dataset["sha256"]:
        raise UserError(
            f"{folder} was trained on other data than {PREPARED} holds now; "
            f"{remedy('train', variant, settings)}."
        )
    trained = marker.trained(variant)
    scored = read_arrays(folder / "predictions.npz", ("model_sha256",))
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    for what, is_of_it in (
        ("scores", str(scored["model_sha256"]) == trained["model.keras"]),
        ("model card and figures", trained["model.keras"] in card),
    ):
        if not is_of_it:
            raise UserError(
                f"{folder} has the {what} of another model instead of its model.keras; "
                f"{remedy('publish', variant, settings)}."
            )
    history = read_table(folder / "history.csv")
    timing = _timing(folder, training["fingerprint"])
    rows = read_table(folder / "folds.csv")
    folds = [_fold(variant, row, history, timing, dataset) for row in rows]
    scores = leaves(read_json(folder / "metrics.json"), "_")
    numbers = (pair for pair in scores if type(pair[1]) in (int, float))
    metrics = {name: round(float(value), DECIMALS) for name, value in numbers}
    if seconds := _fit_seconds(training, timing, history):
        metrics["fit_seconds"] = seconds
    began = [row.get("began") or row["time"] for row in timing]
    files = {name: folder / name for name in marker.ATTACHED if (folder / name).is_file()}
    files |= {f"plots/{path.name}": path for path in listed(folder / "plots", "*.png")}
    return Record(
        variant=variant,
        description=(training.get("description") or description)[: note.LENGTH],
        identity=Identity(training["fingerprint"], marker.combined(trained.items())),
        params=_params(training["settings"], dataset),
        dataset=dataset,
        folds=folds,
        start=min([*began, *(fold.start for fold in folds if fold.start)], default=None),
        limit=dataset.get("limit"),
        metrics=metrics,
        files=files,
    )


def unfinished(
    start: Mapping[str, Any], rows: list[dict], history: list[dict], timing: list[dict]
) -> Record:
    """Return the record of a running training.

    `start` is the content of its start marker; see `stages.engine.tracker`. The others are the
    rows of folds.csv, history.csv and timing.csv, for the finished folds.
    """
    variant, dataset = start["variant"], start["dataset"]
    return Record(
        variant=variant,
        description=start["description"][: note.LENGTH],
        identity=Identity(start["fingerprint"], None),
        params=_params(start["settings"], dataset),
        dataset=dataset,
        folds=[_fold(variant, row, history, timing, dataset) for row in rows],
        start=start["began"],
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


def _fold(
    variant: str, row: dict, history: list[dict], timing: list[dict], dataset: Mapping[str, Any]
) -> Child:
    """Return the fold in a row of folds.csv, with its rows of history.csv and timing.csv."""
    number = row["fold"]
    epochs = [epoch for epoch in timing if epoch["fold"] == number]
    times = {epoch["epoch"]: epoch["time"] for epoch in epochs}
    starts = (int(epoch["time"] - epoch["seconds"] * 1000) for epoch in epochs)
    end = max(times.values(), default=None)
    params = {"fold": str(number), "repeat": str(number // dataset["folds"]["count"])}
    params |= {name: str(row[name]) for name in ("train_images", "val_images")}
    steps = [
        (name, float(value), epoch["epoch"])
        for epoch in history
        if epoch["fold"] == number
        for name, value in epoch.items()
        if name not in ("fold", "epoch") and isinstance(value, int | float)
    ]
    # `accuracy` and `loss` are taken: the training metrics of each epoch
    scores = {f"cv_{name}": float(row[name]) for name in ("accuracy", "loss")}
    scores |= {name: float(row[name]) for name in ("best_epoch", "epochs")}
    return Child(
        number=number,
        name=f"{variant} fold {number}",
        sha256=hashlib.sha256(repr((params, steps, scores)).encode()).hexdigest(),
        params=params,
        points=[(name, value, epoch, times.get(epoch)) for name, value, epoch in steps]
        + [(name, value, 0, end) for name, value in scores.items()],
        start=min(starts, default=None),
        end=end,
        tags={},
    )


def fit_seconds(variant: str) -> float | None:
    """Return the seconds of all epochs of all folds; None if they are not the whole training.

    A backbone also computes features and may train a head first, and a refit has no fold; nobody
    measures these. None as well if timing.csv is not of this training.
    """
    folder = RESULTS / variant
    training = read_json(folder / "training.json", ("fingerprint", "settings"))
    timing = _timing(folder, training["fingerprint"])
    return _fit_seconds(training, timing, read_table(folder / "history.csv"))


def _fit_seconds(
    training: Mapping[str, Any], timing: list[dict], history: list[dict]
) -> float | None:
    architecture = training["settings"].get("architecture", {}).get("name")
    is_whole = architecture != "backbone" and training.get("final") != "refit"
    is_complete = timing and len(timing) == len(history)
    return round(sum(row["seconds"] for row in timing), 1) if is_whole and is_complete else None


def _timing(folder: Path, fingerprint: str) -> list[dict]:
    """Return the rows of timing.csv of this training; none if the file is missing or damaged."""
    with suppress(FileNotFoundError, UserError):
        columns = ("fold", "epoch", "time", "seconds", "fingerprint")
        rows = read_table(folder / "timing.csv", columns)
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
