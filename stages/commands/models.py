"""The models that commands take: a variant, a file, or one from MLflow."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from stages.engine import model_file
from stages.errors import UserError
from stages.files import (
    PREPARED,
    RESULTS,
    existing,
    read_arrays,
    read_json,
    read_table,
    sha256,
)
from stages.settings import params
from stages.settings.params import Params
from stages.tracking.record import remedy


def in_mlflow(model: str) -> bool:
    """Return whether a `model` (as for `find`) has to be downloaded."""
    return "://" in model or model.startswith(("models:/", "runs:/"))


class Model(NamedTuple):
    """A model that a command was given."""

    path: Path  # of its .keras file
    name: str  # a variant, or what the user gave
    label: str  # for the output: the name and, for a variant, the path


def compared(settings: Params) -> list[dict[str, Any]]:
    """Return the rows of results/comparison.csv; UserError if params.yaml does not have them."""
    path = existing(RESULTS / "comparison.csv", "compare")
    rows = read_table(path)
    if gone := [row["variant"] for row in rows if row["variant"] not in settings.variants]:
        raise UserError(
            f"{path} compares {gone[0]!r}, which params.yaml does not have; run `dvc repro`."
        )
    return rows


def is_file(model: str) -> bool:
    """Return whether a `model` (as for `find`) names a .keras file."""
    return model.endswith(".keras")


def find(model: str, dataset: dict, folder: Path) -> Model:
    """Find the file of a model.

    `model` is a variant, a .keras file, or an address such as "models:/foldlab@champion", from
    which the model is downloaded to `folder`; "": the variant with the best cross-validated score
    in results/comparison.csv.

    Raises:
        UserError: if the model is unknown, or the variant is not trained on the prepared data.
    """
    if in_mlflow(model):
        from stages.tracking.model import fetch  # MLflow's import takes seconds

        return Model(fetch(model, folder)[0], model, model)
    if is_file(model):
        return Model(Path(model), model, model)
    variant, note, settings = model, "", params.load()
    if not model:
        variant = max(compared(settings), key=lambda row: row["cv_mean"])["variant"]
        note = ", the best of comparison.csv"
    settings.variant(variant)  # rejects unknown names, and so any path
    again = remedy("train", variant, settings)
    path, record = (RESULTS / variant / name for name in ("model.keras", "training.json"))
    for file in (path, record):
        if not file.is_file():
            pull = "run `dvc pull`, or " if variant in settings.compare.variants else ""
            raise UserError(f"{file} is missing; {pull}{again}.")
    if read_json(record, ("data_sha256",))["data_sha256"] != dataset["sha256"]:
        raise UserError(f"{path} was trained on other data than {PREPARED} holds now; {again}.")
    return Model(path, variant, f"{variant} ({path}){note}")


def is_scored(model: Path) -> bool:
    """Return whether predictions.npz beside a variant's model has the predictions of this model."""
    file = model.with_name("predictions.npz")
    stored = read_arrays(file, ("model_sha256",)) if file.is_file() else {}
    return bool(stored) and str(stored["model_sha256"]) == sha256(model)


def check(path: Path, dataset: dict) -> None:
    """Check, without loading it, that a model file fits the data set's images and classes.

    Raises:
        UserError: if it is not a Keras file of this pipeline, holds anything but Keras' own
            layers, takes images of another shape, or is known to predict other classes.
        OSError: if it cannot be read.
    """
    layers = model_file.layers(path.read_bytes(), str(path)) if path.is_file() else []
    inputs = [layer["config"] for layer in layers if layer["class_name"] == "InputLayer"]
    votes = any(layer["config"]["name"].startswith("vote_") for layer in layers)
    if not votes or not inputs:
        raise UserError(
            f"{path} is not a model file of this pipeline; give one from results/, a row of "
            "params.yaml, or an address such as models:/foldlab@champion."
        )
    takes = inputs[0]["batch_shape"][1:]
    if takes != [*dataset["image_shape"]]:
        raise UserError(
            f"{path} takes images of {takes} (height, width, channels), but {PREPARED} has "
            f"{[*dataset['image_shape']]}; run `dvc repro prepare` with the model's data set."
        )
    record = path.with_name("training.json")
    if record.is_file() and read_json(record).get("data_sha256") == dataset["sha256"]:
        return  # the digest covers the classes; the scores beside it may still be of other data
    predicts = _classes(path)
    if predicts and predicts != [*dataset["classes"]]:
        raise UserError(
            f"{path} predicts the classes {', '.join(predicts)}, but {PREPARED} has "
            f"{', '.join(dataset['classes'])}; run `dvc repro prepare` with the model's data set."
        )


def _classes(path: Path) -> list[str]:
    """Return the names of a model's classes from the files beside it; [] if there are none."""
    described = path.absolute().parents[1] / "MLmodel"
    scores = path.with_name("per_class.csv")
    if described.is_file():  # of a model from MLflow
        content = yaml.load(described.read_text(encoding="utf-8"), yaml.CSafeLoader)
        return list((content.get("metadata") or {}).get("classes", ()))
    if scores.is_file():
        return [row["class"] for row in read_table(scores, ("class",), text=("class",))]
    return []


def check_classes(label: str, predicted: int, prepared: int) -> None:
    """Raise UserError unless a model predicts as many classes as the prepared data have."""
    if predicted != prepared:
        raise UserError(
            f"{label} has {predicted} classes, but {PREPARED} has {prepared}; "
            "run `dvc repro prepare` with the model's data set."
        )
