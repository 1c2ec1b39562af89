"""The registered model: its description on MLflow's pages, and one version per training."""

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion

from stages.tracking import note, summary
from stages.tracking.children import ignoring
from stages.tracking.record import Record
from stages.tracking.store import Client

LINKS = "mlflow.modelVersions"  # tag of a logged model: its versions
SHOWN = ("CV accuracy", "test")  # texts of a run that its version shows too, like the verdict
OPENING = "Image classifier of Foldlab."  # marks a description as ours
CLASSES = 100  # most class names that are listed

TEXT = """\
{opening} Each version is the model of one variant; the alias `champion` is the one to use.

- **Input:** raw pixels from 0 to 255, shape (n, {shape}): images, height, width, channels.
- **Output:** for each image, the probability of each class: {classes}.

Load it in Python. The result has a dictionary per image, from class to probability:

    model = mlflow.pyfunc.load_model("models:/{name}@champion")
    model.predict(images)

`mlflow.keras.load_model` returns the Keras model, which gives the probabilities without names.

Serve it over HTTP, and post `{{"inputs": [...]}}` to `/invocations`:

    mlflow models serve -m models:/{name}@champion --env-manager local --port 5001
"""


def register(client: Client, logged: LoggedModel, record: Record) -> None:
    """Register a version of this run's logged model unless there is one."""
    version = find(client, logged.source_run_id)
    tags = {
        "variant": record.variant,
        **{key: text for key, text in summary.score_tags(record).items() if key in SHOWN},
        **record.identity._asdict(),
        "data_sha256": record.dataset["sha256"],
        "images_sha256": record.dataset["images_sha256"],
    }
    if version is None or version.source != logged.artifact_location:
        with ignoring("RESOURCE_ALREADY_EXISTS"):
            client.create_registered_model(client.model_name)
        version = client.create_model_version(
            client.model_name,
            source=logged.artifact_location,
            run_id=logged.source_run_id,
            model_id=logged.model_id,
            description=record.description,
            tags=tags | {note.WRITTEN: note.digest(record.description)},
        )
    tag(client, version, tags)  # the rule compares them
    _describe_version(client, version, record.description)
    _describe(client, record.dataset)
    # A server adds the version to the logged model's tag, a plain database does not. Neither
    # removes a deleted one.
    own = {"name": client.model_name, "version": int(version.version)}
    links = json.loads(logged.tags.get(LINKS, "[]"))
    wanted = [link for link in links if link["name"] != client.model_name] + [own]
    if links != wanted:
        client.set_logged_model_tags(logged.model_id, {LINKS: json.dumps(wanted)})


def _describe_version(client: Client, version: ModelVersion, text: str) -> None:
    """Let the description of a version follow its row's, unless somebody wrote another."""
    before = version.description or ""
    if not note.is_ours(before, version.tags, text):
        return
    if before.strip() != text.strip():
        client.update_model_version(version.name, version.version, text)
    if note.digest(text) != version.tags.get(note.WRITTEN, ""):
        tag(client, version, {note.WRITTEN: note.digest(text)})


def find(client: Client, run_id: str | None) -> ModelVersion | None:
    """Return the newest version of a parent run's model, or None."""
    found = client.search_model_versions(f"run_id = '{run_id}'")
    own = [version for version in found if version.name == client.model_name]
    return max(own, key=lambda version: int(version.version), default=None)


def tag(client: Client, version: ModelVersion, texts: Mapping[str, str]) -> None:
    """Set the tags of a version that differ from `texts`, and update the object too."""
    for key, text in texts.items():
        if version.tags.get(key) != text:
            client.set_model_version_tag(version.name, version.version, key, text)
            version.tags[key] = text


def _describe(client: Client, dataset: Mapping[str, Any]) -> None:
    """Describe the registered model, unless somebody wrote another description.

    `dataset` is the content of dataset.json.
    """
    names = dataset["classes"]
    shape = ", ".join(map(str, dataset["image_shape"]))
    name = client.model_name
    for count in range(min(len(names), CLASSES), -1, -1):
        classes = ", ".join([*names[:count], *["..."] * (count < len(names))])
        text = TEXT.format(opening=OPENING, shape=shape, classes=classes, name=name)
        if len(text) <= note.LENGTH:
            break
    before = client.get_registered_model(name).description or OPENING
    if before.startswith(OPENING) and before.strip() != text.strip():
        client.update_registered_model(name, text)
