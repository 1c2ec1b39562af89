"""`python -m stages predict IMAGE...`: classify image files and plot the model's inputs.

Images may be grey or colour, of any size, dark on light or light on dark. Digits are converted to
the style of MNIST; images of other data sets are resized. MLflow is needed only for a model that is
given as a `models:/` address.
"""

import json
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.data import picture
from stages.errors import UserError
from stages.figures import gallery, style
from stages.files import read_dataset, read_json, read_table
from stages.settings import params

PREPARED = Path("data/prepared")
RESULTS = Path("results")


def predict(images: Sequence[str], model: str = "", output: Path = Path("predictions.png")) -> bool:
    """Classify image files, print one line per file, and write a figure of them.

    Args:
        images: files, or folders whose files are all classified.
        model: a variant, a .keras file, or an address such as "models:/foldlab@champion"; "": the
            variant with the best cross-validated accuracy in results/comparison.csv.
        output: the PNG file to write.

    Returns:
        Whether all files could be classified; stderr gets one sentence for each that could not.

    Raises:
        UserError: if the model is unknown or does not fit the prepared data set, or no file could
            be read.
        OSError: if the model's file cannot be read or the figure cannot be written.
    """
    dataset = read_dataset(PREPARED)
    classes, shape = dataset["classes"], dataset["image_shape"]
    with tempfile.TemporaryDirectory() as folder:
        path, label = find(model, dataset, Path(folder))
        check(path, shape)
        pixels, errors = _read(_files(images), classes, shape, params.load().data.resize)
        for error in errors:
            print(f"foldlab: {error}", file=sys.stderr)
        if not pixels:
            raise UserError("none of these files could be classified; give image files.")
        from stages.training.export import probabilities  # TensorFlow's import takes seconds

        probability, _ = probabilities(path, np.stack(list(pixels.values())))
    if probability.shape[1] != len(classes):
        raise UserError(
            f"{label} has {probability.shape[1]} classes, {PREPARED} has {len(classes)}; "
            "run `dvc repro prepare` with the model's data set."
        )

    print(f"model: {label}")
    for name, row in zip(pixels, probability, strict=True):
        first, second = (int(index) for index in row.argsort()[::-1][:2])
        print(
            f"{name}: {classes[first]} ({gallery.percent(row[first])}), "
            f"then {classes[second]} ({gallery.percent(row[second])})"
        )
    names = [name.name for name in pixels]
    inputs = np.stack(list(pixels.values()))
    title = label.split(" ")[0]
    style.save(gallery.predictions(inputs, names, probability, classes, model=title), output)
    print(f"picture: {output}")
    return not errors


def find(model: str, dataset: dict, folder: Path) -> tuple[Path, str]:
    """Return a model's file and its label for the output.

    Args:
        model: as for `predict`.
        dataset: the content of dataset.json.
        folder: where a model from MLflow is downloaded to.
    """
    if "://" in model or model.startswith(("models:/", "runs:/")):
        from stages.tracking.model import fetch  # MLflow's import takes seconds

        return fetch(model, folder), model
    if model.endswith(".keras"):
        if not Path(model).is_file():
            raise UserError(
                f"{model} is not a file; give an existing .keras file, a row of params.yaml, or an "
                "address such as models:/foldlab@champion."
            )
        return Path(model), model
    settings = params.load()
    variant = model or _best()
    settings.variant(variant)  # refuses unknown names, and so any path
    path = RESULTS / variant / "model.keras"
    missing = [file for file in (path, path.with_name("training.json")) if not file.is_file()]
    if missing:
        raise UserError(f"{missing[0]} is missing; run `dvc pull` or `dvc repro train@{variant}`.")
    if read_json(path.with_name("training.json"))["data_sha256"] != dataset["sha256"]:
        raise UserError(
            f"{path} was trained on other data than {PREPARED} holds now; "
            f"run `dvc repro train@{variant}`."
        )
    return path, f"{variant} ({path})" + ("" if model else ", the best of comparison.csv")


def check(path: Path, shape: Sequence[int]) -> None:
    """Check, without loading it, that a model file fits the data set's images.

    Raises:
        UserError: if it is not a Keras file of this pipeline, or takes images of another shape.
        OSError: if it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        takes = next(layer for layer in layers if layer["class_name"] == "InputLayer")
        takes = takes["config"]["batch_shape"][1:]
        votes = any(layer["config"].get("name", "").startswith("vote_") for layer in layers)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, StopIteration):
        takes, votes = None, False
    if takes is None or not votes:
        raise UserError(f"{path} is not a model file of this pipeline; give one from results/.")
    if takes != [*shape]:
        raise UserError(
            f"{path} takes images of {takes} (height, width, channels), but {PREPARED} has "
            f"{[*shape]}; run `dvc repro prepare` with the model's data set."
        )


def _best() -> str:
    table = RESULTS / "comparison.csv"
    if not table.is_file():
        raise UserError(f"{table} is missing; run `dvc repro`, or name a model with --model.")
    return max(read_table(table), key=lambda row: row["cv_mean"])["variant"]


def _files(given: Sequence[str]) -> list[Path]:
    """Return the given files, with folders replaced by their files except hidden ones."""
    found = []
    for name in given:
        path = Path(name)
        if path.is_dir():
            found += [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _read(
    files: Sequence[Path], classes: Sequence[str], shape: Sequence[int], resize: str
) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Return file -> pixels as the model takes them, and one error for each other file."""
    pixels, errors = {}, []
    digits = picture.is_digits(classes, shape)
    for file in files:
        try:
            image = picture.read(file)
        except UserError as error:
            errors.append(str(error))
            continue
        try:
            converted = (
                picture.as_digit(image) if digits else picture.as_trained(image, shape, resize)
            )
        except UserError as error:
            errors.append(f"{file} {error}; give a picture of one digit.")
            continue
        pixels[file] = converted
    return pixels, errors
