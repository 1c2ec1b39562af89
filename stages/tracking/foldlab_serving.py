"""How MLflow serves a model: it checks the pixels, and its answer names the classes.

Each logged model contains a copy of this file, which MLflow imports wherever the model is loaded as
a `python_function`. So it cannot import anything from this repository.
"""

from typing import Any

import mlflow.keras
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

BATCH = 32  # images at once, as many as Keras' `predict` takes


class RefusedError(MlflowException):
    """The input is not what the model takes.

    MLflow's server puts all pixels before an exception's message; this one rejects such changes.
    """

    message = property(lambda self: self.args[0], lambda self, text: None)


class Classifier:
    """A Keras model with the shape of its images and the names of its classes."""

    def __init__(self, model: Any, shape: tuple[int, ...], classes: list[str]) -> None:
        """Wrap `model`, which maps pixels to probabilities in the order of `classes`."""
        self._model, self._shape, self._classes = model, shape, classes

    def predict(self, data: Any, params: dict | None = None) -> list[dict[str, float]]:
        """Return the probability of each class by its name, for each image.

        `data` is an array of any numeric type, or lists of numbers, with values from 0 to 255. Its
        shape is (images, height, width, channels).

        Raises:
            RefusedError: if it has another shape or other values, or an image appears to be scaled
                to 0-1.
        """
        try:
            pixels = np.asarray(data, np.float32)
        except (TypeError, ValueError):
            raise _refused("input is not an array of numbers", self._shape) from None
        if pixels.shape[1:] != self._shape or not len(pixels):
            raise _refused(f"input has the shape {pixels.shape}", self._shape)
        for number, image in enumerate(pixels):
            if reason := refusal(image):
                raise RefusedError(f"image {number} {reason}", INVALID_PARAMETER_VALUE)
        # `predict` would set up a pipeline for each call: 17 times the work for one image.
        batches = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
        rows = [row for batch in batches for row in self._model.predict_on_batch(batch).tolist()]
        return [dict(zip(self._classes, row, strict=True)) for row in rows]


def _refused(problem: str, shape: tuple[int, ...]) -> RefusedError:
    wanted = ", ".join(map(str, shape))
    text = f"{problem}; give numbers of the shape (n, {wanted}) for n images."
    return RefusedError(text, INVALID_PARAMETER_VALUE)


def refusal(image: np.ndarray) -> str:
    """Return why an image's pixels cannot be raw, and what to do; "" if they can."""
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
    described = Model.load(path)
    shape = described.signature.inputs.inputs[0].shape[1:]
    classes = (described.metadata or {})["classes"]
    model = mlflow.keras._load_pyfunc(path).get_raw_model()
    model.predict_on_batch(np.zeros((1, *shape), np.float32))  # compiled before the first request
    return Classifier(model, shape, classes)
