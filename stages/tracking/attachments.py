"""Attach the data set, tables and figures to a run, and log runs that consist of such files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.data.schema import TensorDatasetSchema
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.types import Schema, TensorSpec

from stages.files import RESULTS, sha256
from stages.tracking import note, origin
from stages.tracking.children import add, search
from stages.tracking.marker import combined_sha256
from stages.tracking.store import Client

FILES_SHA256 = "files_sha256"  # tag of a run: combined digest of its files
NAME = 500  # most characters of a data set's name in MLflow


def log_dataset(client: Client, run: Run, content: Mapping[str, Any]) -> None:
    """Log the prepared data as an input of the run: source, hash and content of dataset.json."""
    digest = content["sha256"][:16]
    inputs = run.inputs.dataset_inputs if run.inputs else []
    if any(entry.dataset.digest == digest for entry in inputs):
        return
    pixels = TensorSpec(np.dtype("uint8"), (-1, *content["image_shape"]))
    labels = TensorSpec(np.dtype("int64"), (-1,))
    schema = TensorDatasetSchema(features=Schema([pixels]), targets=Schema([labels]))
    dataset = Dataset(
        name=str(content["source"])[:NAME],
        digest=digest,
        source_type="local",
        source=json.dumps({"uri": "data/prepared"}),
        schema=json.dumps(schema.to_dict()),
        profile=json.dumps(content),
    )
    tag = InputTag("mlflow.data.context", "training")
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset, [tag])])


def log_files(client: Client, run: Run, files: Mapping[str, Path]) -> None:
    """Upload the files (artifact path -> file) that are missing, or all if one has changed.

    If a finished run has no digest of its files, they are assumed to have changed.
    """
    run_id, sha256 = run.info.run_id, combined_sha256(files.values())
    before = None if run.info.status == "FINISHED" else sha256
    unchanged = run.data.tags.get(FILES_SHA256, before) == sha256
    folders = {name: name.rpartition("/")[0] or None for name in files}
    uploaded = {
        entry.path
        for folder in {None, *folders.values()}
        for entry in client.list_artifacts(run_id, folder)
    }
    for name, path in files.items():
        # an uploaded file is complete, because MLflow's uploads are atomic
        if not unchanged or name not in uploaded:
            client.log_artifact(run_id, str(path), folders[name])
    if not unchanged:
        client.set_tag(run_id, FILES_SHA256, sha256)


def log_run(
    client: Client,
    kind: str,
    identity: str,
    files: Mapping[str, Path],
    params: Mapping[str, str],
    tags: Mapping[str, str],
    start: int | None = None,
) -> Run:
    """Log a run of existing files, or what has changed of a logged one, and return it.

    Its kind and `identity`, a hash, identify it, so that earlier runs are kept as history. `start`
    is in ms since 1970, by default now.
    """
    key = f"{kind}_sha256"
    query = f"tags.`foldlab.kind` = '{kind}' and tags.{key} = '{identity}'"
    found = search(client, query)
    files = {name: path for name, path in files.items() if path.is_file()}
    own = {"foldlab.kind": kind, key: identity, FILES_SHA256: combined_sha256(files.values())}
    tags = {**own, **tags}
    run = found[0] if found else client.create_run(client.experiment_id, start, tags, kind)
    finished = run.info.status == "FINISHED"
    if not finished:
        add(client, run, params)
    log_files(client, run, files)
    for key, value in note.updated(run.data.tags, tags.get(note.NOTE, "")).items():
        client.set_tag(run.info.run_id, key, value)
    if not finished:
        client.set_terminated(run.info.run_id, "FINISHED", run.info.start_time)
    return run


def log_suite(client: Client, params: Mapping[str, str]) -> str:
    """Log the comparison on several data sets, with `params`; return its run's id."""
    files = {name: RESULTS / name for name in ("suite.csv", "plots/suite.png")}
    tags = {"mlflow.source.name": "stages.commands.suite", **origin.of_code()}
    identity = sha256(files["suite.csv"])
    return log_run(client, "suite", identity, files, params, tags).info.run_id
