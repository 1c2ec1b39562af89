"""Attach the data set, tables and figures to a run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.data.schema import TensorDatasetSchema
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.types import Schema, TensorSpec

from stages.tracking.marker import combined
from stages.tracking.store import Client


def complete_dataset(client: Client, run: Run, content: Mapping[str, Any]) -> None:
    """Log the prepared data as an input of the run: source, hash and content of dataset.json."""
    digest = content["sha256"][:16]
    inputs = run.inputs.dataset_inputs if run.inputs else []
    if any(entry.dataset.digest == digest for entry in inputs):
        return
    pixels = TensorSpec(np.dtype("uint8"), (-1, *content["image_shape"]))
    labels = TensorSpec(np.dtype("int64"), (-1,))
    schema = TensorDatasetSchema(features=Schema([pixels]), targets=Schema([labels]))
    dataset = Dataset(
        name=str(content["source"]),
        digest=digest,
        source_type="local",
        source=json.dumps({"uri": "data/prepared"}),
        schema=json.dumps(schema.to_dict()),
        profile=json.dumps(content),
    )
    tag = InputTag("mlflow.data.context", "training")
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset, [tag])])


def complete_files(client: Client, run: Run, files: Mapping[str, Path]) -> None:
    """Upload the files (artifact path -> file) that are missing, or all if one has changed."""
    run_id, sha256 = run.info.run_id, combined(files.values())
    unchanged = run.data.tags.get("files_sha256", sha256) == sha256
    folders = {name: name.rpartition("/")[0] or None for name in files}
    uploaded = {
        entry.path
        for folder in {None, *folders.values()}
        for entry in client.list_artifacts(run_id, folder)
    }
    for name, path in files.items():
        if (
            not unchanged or name not in uploaded
        ):  # an uploaded file is complete: MLflow's uploads are atomic
            client.log_artifact(run_id, str(path), folders[name])
    if not unchanged:
        client.set_tag(run_id, "files_sha256", sha256)
