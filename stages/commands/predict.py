"""`python -m stages predict IMAGE...`: classify image files, and draw what the model saw.

Grey or coloured, of any size, dark on light or light on dark. Digits are brought into the form of
MNIST, images of other data sets are scaled to fit. Nothing here needs MLflow, unless the model is
one of its `models:/` addresses.
"""

import json
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import params
from stages.data import picture
from stages.errors import UserError
from stages.figures import gallery, style
from stages.files import read_dataset, read_json, read_table

PREPARED = Path("data/prepared")
RESULTS = Path("results")


def predict(images: Sequence[str], model: str = "", output: Path = Path("predictions.png")) -> bool:
    """Classify image files, print a line each, and write a picture of them.

    Args:
        images: files, or folders of which every file is taken.
        model: a variant, a .keras file, or an address such as "models:/foldlab@champion"; "": the
            variant with the best cross-validated accuracy in results/comparison.csv.
        output: the picture, a PNG file.

    Returns:
        Whether all files could be classified; each other one has a sentence on stderr.

    Raises:
        UserError: when the model is unknown or does not fit the prepared data set, or no file
            could be read.
        OSError: when a file of the model cannot be read, or the picture not be written.
    """
    dataset = read_dataset(PREPARED)
    classes, shape = dataset["classes"], dataset["image_shape"]
    with tempfile.TemporaryDirectory() as folder:
        path, called = find(model, dataset, Path(folder))
        check(path, shape)
        pixels, refused = _read(_files(images), classes, shape, params.load().data.resize)
        for reason in refused:
            print(f"foldlab: {reason}", file=sys.stderr)
        if not pixels:
            raise UserError("none of these files could be classified; give images that can.")
        from stages.training.artifact import probabilities  # TensorFlow takes seconds

        probability, _ = probabilities(path, np.stack(list(pixels.values())))
    if probability.shape[1] != len(classes):
        raise UserError(
            f"{called} knows {probability.shape[1]} classes, {PREPARED} has {len(classes)}; "
            "run `dvc repro prepare` with the model's data set."
        )

    print(f"model: {called}")
    for name, row in zip(pixels, probability, strict=True):
        first, second = (int(place) for place in row.argsort()[::-1][:2])
        print(
            f"{name}: {classes[first]} ({gallery.percent(row[first])}), "
            f"then {classes[second]} ({gallery.percent(row[second])})"
        )
    names = [name.name for name in pixels]
    seen = np.stack(list(pixels.values()))
    title = called.split(" ")[0]
    style.save(gallery.predictions(seen, names, probability, classes, model=title), output)
    print(f"picture: {output}")
    return not refused


def find(model: str, dataset: dict, folder: Path) -> tuple[Path, str]:
    """Return a model's file and what to call it.

    Args:
        model: as for `predict`.
        dataset: the content of dataset.json.
        folder: where a model of a store may be put.
    """
    if "://" in model or model.startswith(("models:/", "runs:/")):
        from stages.tracking.model import fetch  # it imports MLflow, which takes seconds

        return fetch(model, folder), model
    if model.endswith(".keras"):
        if not Path(model).is_file():
            raise UserError(
                f"{model} is no file; give a .keras file that is there, a row of params.yaml, or "
                "an address such as models:/foldlab@champion."
            )
        return Path(model), model
    settings = params.load()
    variant = model or _best()
    settings.variant(variant)  # refuses what is no row, and with it any path
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
    """Refuse a model file that does not take the data set's images, without loading it.

    Raises:
        UserError: when it is no Keras file, or takes images of another shape.
        OSError: when it cannot be read.
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
        raise UserError(f"{path} is no model file of this pipeline; give one from results/.")
    if takes != [*shape]:
        raise UserError(
            f"{path} takes images of {takes} (height, width, channels), those of {PREPARED} are "
            f"{[*shape]}; run `dvc repro prepare` with the model's data set."
        )


def _best() -> str:
    table = RESULTS / "comparison.csv"
    if not table.is_file():
        raise UserError(f"{table} is missing; run `dvc repro`, or name a model with --model.")
    return max(read_table(table), key=lambda row: row["cv_mean"])["variant"]


def _files(given: Sequence[str]) -> list[Path]:
    """Return the files, with those of a folder in the folder's place; hidden ones are left out."""
    found = []
    for name in given:
        path = Path(name)
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in inside if file == path or not file.name.startswith(".")]
    return list(dict.fromkeys(found))


def _read(
    files: Sequence[Path], classes: Sequence[str], shape: Sequence[int], resize: str
) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Return file -> pixels as the model takes them, and a sentence for each other file."""
    pixels, refused = {}, []
    digits = picture.is_digits(classes, shape)
    for file in files:
        try:
            image = picture.read(file)
        except UserError as error:
            refused.append(str(error))
            continue
        try:
            made = picture.as_digit(image) if digits else picture.as_trained(image, shape, resize)
        except UserError as error:
            refused.append(f"{file} {error}; give a picture of one digit.")
            continue
        pixels[file] = made
    return pixels, refused
