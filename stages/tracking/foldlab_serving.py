"""How MLflow serves a model: it checks the pixels, and its answer names the classes.

Each logged model contains a copy of this file, which MLflow imports wherever the model is loaded as
a `python_function`. So nothing of this repository can be imported here.
"""

from typing import Any

import mlflow.keras
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE


class RefusedError(MlflowException):
    """Pixels that the model does not take.

    MLflow's server puts all pixels before the message of an exception; this message stays as it is.
    """

    message = property(lambda self: self.args[0], lambda self, text: None)


class Classifier:
    """A Keras model with the names of its classes."""

    def __init__(self, model: Any, classes: list[str]) -> None:
        """Wrap `model`, which maps pixels to probabilities in the order of `classes`."""
        self._model, self._classes = model, classes

    def predict(self, data: np.ndarray, params: dict | None = None) -> list[dict[str, float]]:
        """Return the probability of each class by its name, for each image.

        `data` has the shape (images, height, width, channels), and values from 0 to 255.

        Raises:
            RefusedError: if it has other values, or an image appears to be scaled to 0-1.
        """
        for number, image in enumerate(np.asarray(data)):
            if reason := refusal(image):
                raise RefusedError(f"image {number} {reason}", INVALID_PARAMETER_VALUE)
        probabilities = self._model.predict(data).tolist()
        return [dict(zip(self._classes, row, strict=True)) for row in probabilities]


def refusal(image: np.ndarray) -> str:
    """Return why an image's pixels cannot be raw ones, and what to do; "" if they can."""
    if not np.isfinite(image).all():
        return "has pixels that are not finite numbers; give raw pixels from 0 to 255."
    low, high = image.min(), image.max()
    if low < 0 or high > 255:
        return f"has pixels from {low:g} to {high:g}; give raw pixels from 0 to 255."
    if high <= 1 and (image % 1).any():
        return f"has pixels from {low:g} to {high:g}, scaled to 0-1; multiply them by 255."
    return ""


def _load_pyfunc(path: str) -> Classifier:
    """Return the model in a folder; `mlflow.pyfunc.load_model` calls this function."""
    metadata = Model.load(path).metadata or {}
    return Classifier(mlflow.keras._load_pyfunc(path), metadata["classes"])
