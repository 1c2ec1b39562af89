"""Attach the data set, tables and figures to a variant's parent run."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Run

from stages.tracking.record import Record
from stages.tracking.store import Client

FILES = 100  # most unreadable files to list in the data set's profile, whose length MLflow limits


def complete_dataset(client: Client, run: Run, record: Record) -> None:
    """Log the prepared data as an input of the run: source, hash and content of dataset.json."""
    digest = record.data_sha256[:16]
    inputs = run.inputs.dataset_inputs if run.inputs else []
    if any(entry.dataset.digest == digest for entry in inputs):
        return
    content = record.dataset
    schema = {
        "features": _tensor("uint8", [-1, *content["image_shape"]]),
        "targets": _tensor("int64", [-1]),
    }
    unreadable = dict(islice(content.get("unreadable", {}).items(), FILES))
    dataset = Dataset(
        name=str(content["source"]),
        digest=digest,
        source_type="local",
        source=json.dumps({"uri": "data/prepared"}),
        schema=json.dumps({"mlflow_tensorspec": schema}),
        profile=json.dumps(content | {"unreadable": unreadable}),
    )
    tag = InputTag("mlflow.data.context", "training")
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset, [tag])])


def complete_files(client: Client, run: Run, files: Mapping[str, Path], sha256: str) -> None:
    """Upload the files that are missing, or all files if any has changed.

    Args:
        client: an opened store.
        run: the run to attach them to.
        files: artifact path -> file.
        sha256: the hash of all files.
    """
    run_id = run.info.run_id
    unchanged = run.data.tags.get("files_sha256", sha256) == sha256
    folders = {str(Path(name).parent) for name in files} - {"."}
    sizes = {
        entry.path: entry.file_size
        for folder in (None, *sorted(folders))
        for entry in client.list_artifacts(run_id, folder)
    }
    for name, path in files.items():
        # MLflow's uploads are atomic, so the size shows that a file is there; some stores have none
        if not (unchanged and sizes.get(name, -1) in (None, path.stat().st_size)):
            folder = str(Path(name).parent)
            client.log_artifact(run_id, str(path), None if folder == "." else folder)
    if not unchanged:
        client.set_tag(run_id, "files_sha256", sha256)


def _tensor(dtype: str, shape: list[int]) -> str:
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}])
