"""The registered model's description on MLflow's pages, and the texts of its versions."""

from collections.abc import Mapping
from typing import Any

from mlflow.entities.model_registry import ModelVersion

from stages.tracking.store import Client

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


def complete(client: Client, dataset: Mapping[str, Any]) -> None:
    """Describe the registered model, unless somebody wrote another description.

    `dataset` is the content of dataset.json.
    """
    names = dataset["classes"]
    classes = ", ".join(names[:CLASSES]) + (", ..." if len(names) > CLASSES else "")
    shape = ", ".join(map(str, dataset["image_shape"]))
    name = client.model_name
    text = TEXT.format(opening=OPENING, shape=shape, classes=classes, name=name)
    before = client.get_registered_model(name).description or OPENING
    if before.startswith(OPENING) and before.strip() != text.strip():
        client.update_registered_model(name, text)


def tag(client: Client, version: ModelVersion, texts: Mapping[str, str]) -> None:
    """Set the tags of a version that differ from `texts`, also in the object for later looks."""
    for key, text in texts.items():
        if version.tags.get(key) != text:
            client.set_model_version_tag(version.name, version.version, key, text)
            version.tags[key] = text
