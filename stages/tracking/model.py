"""The trained model as an MLflow model of the flavors `keras` and `python_function`.

`mlflow.keras.save_model` would import TensorFlow and save the model again, which changes the file's
bytes and drops the list of training images in it. So `mlflow.pyfunc.save_model` writes the folder,
and the .keras file is copied into it. Keras' safe mode is on when MLflow loads the file. As a
`python_function`, which is what MLflow serves, it is wrapped by `foldlab_serving`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.artifacts
import mlflow.pyfunc
import numpy as np
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from stages.errors import UserError
from stages.files import RESULTS
from stages.tracking import address, signature
from stages.tracking.record import Record
from stages.tracking.store import Client, connect
from stages.tracking.store_errors import StoreError, failures

SERVING = Path(__file__).with_name("foldlab_serving.py")  # not imported here: it imports Keras
REQUIREMENTS = ("mlflow", "keras", "tensorflow", "numpy")


def complete(client: Client, run: Run, record: Record) -> LoggedModel:
    """Log the record's model as an output of the run unless that is done; return it.

    With a private key, a model with another signature is left as it is, and logged once more.
    """
    run_id = run.info.run_id
    query = f"source_run_id = '{run_id}'"
    found = client.search_logged_models([run.info.experiment_id], query)  # the newest first
    logged = found[0] if found else _create(client, run, record)
    uploaded = _uploaded(client, logged)
    signed = bool(os.environ.get(signature.PRIVATE))
    if signed and signature.NAME in uploaded and not _is_own(logged):
        logged, uploaded = _create(client, run, record), set()
    wanted = {"MLmodel", signature.NAME} if signed else {"MLmodel"}
    if logged.status != LoggedModelStatus.READY or not wanted <= uploaded:
        description = Model(logged.artifact_location, run_id, model_id=logged.model_id)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            save(path, RESULTS / record.variant / "model.keras", record.dataset, description)
            if signed:
                signature.sign(path)
            client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    outputs = run.outputs.model_outputs if run.outputs else []
    if logged.model_id not in {output.model_id for output in outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged


def _create(client: Client, run: Run, record: Record) -> LoggedModel:
    return client.create_logged_model(
        run.info.experiment_id,
        name=record.variant,
        source_run_id=run.info.run_id,
        tags={"variant": record.variant, "fingerprint": record.identity.fingerprint},
        params=record.params,
        model_type="classifier",
    )


def _uploaded(client: Client, logged: LoggedModel) -> set[str]:
    return {entry.path for entry in client.list_logged_model_artifacts(logged.model_id)}


def _is_own(logged: LoggedModel) -> bool:
    """Download a model, and return whether our private key has signed it as it is."""
    with tempfile.TemporaryDirectory() as folder:
        found = mlflow.artifacts.download_artifacts(
            logged.artifact_location, dst_path=folder, tracking_uri=address.uri()
        )
        return signature.is_own(Path(found))


def save(folder: Path, keras_file: Path, dataset: Mapping[str, Any], description: Model) -> None:
    """Write an MLflow model to a new folder: MLmodel, requirements and a copy of a .keras file.

    It takes raw pixels 0-255 and gives one probability per class, with the class's name. The flag
    in the signature leaves the input check to `foldlab_serving`: MLflow's own check would print all
    pixels before the reason for a refusal.
    """
    pixels = TensorSpec(np.dtype("float32"), (-1, *dataset["image_shape"]))
    probabilities = Schema([ColSpec("float", name) for name in dataset["classes"]])
    description.signature = ModelSignature(Schema([pixels]), probabilities)
    description.signature._is_signature_from_type_hint = True
    description.metadata = {"classes": dataset["classes"], "pixels": "raw, from 0 to 255"}
    description.model_size_bytes = keras_file.stat().st_size
    description.add_flavor(
        "keras",
        data="data",
        keras_version=version("keras"),
        keras_backend="tensorflow",
        save_exported_model=False,
    )
    mlflow.pyfunc.save_model(
        str(folder),
        loader_module=SERVING.stem,
        code_paths=[str(SERVING)],
        mlflow_model=description,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
    )
    (folder / "data").mkdir()
    shutil.copyfile(keras_file, folder / "data" / "model.keras")


@contextmanager
def _default(uri: str) -> Iterator[None]:
    """Make a store MLflow's default, which it uses for `models:/` even if given another store."""
    before = {name: os.environ.get(f"MLFLOW_{name}_URI") for name in ("TRACKING", "REGISTRY")}
    os.environ["MLFLOW_TRACKING_URI"] = uri
    mlflow.set_registry_uri(uri)  # sets the other variable too
    try:
        yield
    finally:
        mlflow.set_registry_uri("")
        for name, value in before.items():
            os.environ.pop(f"MLFLOW_{name}_URI", None)
            if value is not None:
                os.environ[f"MLFLOW_{name}_URI"] = value


def fetch(uri: str, folder: Path) -> tuple[Path, str]:
    """Download a model such as "models:/foldlab@champion" to `folder`.

    Returns its .keras file, and the URI with the version instead of an alias.

    Raises:
        UserError: if the store cannot be used or has no such Keras model, or its signature is not
            by the key in FOLDLAB_PUBLIC_KEY.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)
    database = address.database(address.uri())
    if database and not (database.exists() and database.stat().st_size):  # MLflow would create it
        raise UserError(
            f"could not fetch {uri} from {address.shown()}: that store does not exist yet; "
            "run `make publish`, or correct MLFLOW_TRACKING_URI."
        )
    stores = {"tracking_uri": address.uri(), "registry_uri": address.uri()}
    pinned = uri
    try:
        with failures(given=True):
            client = connect(address.uri())
        with failures(given=True), _default(address.uri()):
            name, _, alias = uri.removeprefix("models:/").partition("@")
            if alias and uri.startswith("models:/"):
                version = client.get_model_version_by_alias(name, alias)
                pinned = f"models:/{name}/{version.version}"
            found = mlflow.artifacts.download_artifacts(pinned, dst_path=str(folder), **stores)
    except StoreError as error:
        raise UserError(
            f"could not fetch {uri} from {address.shown()}: {error.reason}; "
            f"{error.remedy or '`make ui` shows the registered models'}."
        ) from None
    signature.check(Path(found), uri)
    path = Path(found) / "data" / "model.keras"
    if not path.is_file():
        raise UserError(f"{uri} is not a Keras model; give one that `make publish` registered.")
    return path, pinned
