"""The model in the form that mlflow.keras writes, made without importing Keras or TensorFlow.

`mlflow.keras.log_model` would import TensorFlow (8 s) only to load and save a file that is there.
Form: mlflow/keras/save.py of MLflow 3.17. Keras' safe mode is on when MLflow loads it.
"""

import json
import os
import platform
import shutil
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlflow.artifacts
import numpy as np
import yaml
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from stages.errors import UserError
from stages.tracking.record import Record
from stages.tracking.store import Client, failed, location, safe, why

REQUIREMENTS = ("mlflow", "keras", "tensorflow", "numpy")


def signature(image_shape: list[int], classes: int) -> ModelSignature:
    """Return what goes in and out: raw pixels 0-255, and one probability per class.

    float32 and not uint8, because MLflow casts the numbers of a JSON request to the stated type
    and takes arrays of exactly that type.

    Args:
        image_shape: [height, width, channels].
        classes: how many.
    """
    pixels = TensorSpec(np.dtype("float32"), (-1, *image_shape))
    probabilities = TensorSpec(np.dtype("float32"), (-1, classes))
    return ModelSignature(inputs=Schema([pixels]), outputs=Schema([probabilities]))


def complete(client: Client, run: Run, record: Record) -> LoggedModel:
    """Make the record's model an output of the run, uploaded in full; return it."""
    run_id = run.info.run_id
    experiment_id = run.info.experiment_id
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    logged = (
        found[0]
        if found
        else client.create_logged_model(
            experiment_id,
            name=record.variant,
            source_run_id=run_id,
            tags={"variant": record.variant, "fingerprint": record.fingerprint},
            params=record.params,
            model_type="classifier",
        )
    )
    there = {entry.path for entry in client.list_logged_model_artifacts(logged.model_id)}
    if logged.status != LoggedModelStatus.READY or "MLmodel" not in there:
        with tempfile.TemporaryDirectory() as folder:
            write(
                Path(folder) / "model",
                record.model,
                record.dataset["image_shape"],
                len(record.dataset["classes"]),
                model_id=logged.model_id,
                run_id=run_id,
                artifact_path=logged.artifact_location,
            )
            client.log_model_artifacts(logged.model_id, str(Path(folder) / "model"))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    outputs = run.outputs.model_outputs if run.outputs else []
    if logged.model_id not in {output.model_id for output in outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged


def fetch(uri: str, folder: Path) -> Path:
    """Download a model of the store into `folder` and return its .keras file.

    Args:
        uri: as MLflow writes it, such as "models:/foldlab@champion".
        folder: where to; it must be there.

    Raises:
        OSError: when the store cannot be used or has no such Keras model.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)
    try:
        found = mlflow.artifacts.download_artifacts(
            artifact_uri=uri, dst_path=str(folder), tracking_uri=location(), registry_uri=location()
        )
    except Exception as error:
        if not failed(error):
            raise
        raise UserError(f"{uri} is not to be had from {safe(location())}: {why(error)}.") from None
    path = Path(found) / "data" / "model.keras"
    if not path.is_file():
        raise UserError(f"{uri} is no Keras model; give one that `make publish` registered.")
    return path


def write(
    folder: Path,
    keras_file: Path,
    image_shape: list[int],
    classes: int,
    **identity: str,
) -> None:
    """Write an MLflow model around a .keras file.

    Args:
        folder: a new folder, which will hold MLmodel, data/model.keras and the requirements.
        keras_file: what Keras saved.
        image_shape: [height, width, channels] of the images that it takes.
        classes: how many probabilities it gives.
        identity: `model_id`, `run_id` and `artifact_path` in the store.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "keras_module.txt").write_text("keras", encoding="utf-8")
    shutil.copyfile(keras_file, data / "model.keras")

    model = Model(signature=signature(image_shape, classes), **identity)
    model.add_flavor(
        "keras",
        data="data",
        keras_version=_keras_version(keras_file),
        keras_backend="tensorflow",
        save_exported_model=False,
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.keras",
        python_version=platform.python_version(),
        env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    )
    model.model_size_bytes = keras_file.stat().st_size
    model.save(folder / "MLmodel")

    python = platform.python_version()
    pinned = [f"{name}=={version(name)}" for name in REQUIREMENTS if _installed(name)]
    (folder / "requirements.txt").write_text("\n".join(pinned) + "\n", encoding="utf-8")
    _write_yaml(
        folder / "python_env.yaml",
        {
            "python": python,
            "build_dependencies": ["pip", "setuptools", "wheel"],
            "dependencies": ["-r requirements.txt"],
        },
    )
    _write_yaml(
        folder / "conda.yaml",
        {
            "name": "mlflow-env",
            "channels": ["conda-forge"],
            "dependencies": [f"python={python}", "pip", {"pip": pinned}],
        },
    )


def _keras_version(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("metadata.json"))["keras_version"]


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _write_yaml(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
