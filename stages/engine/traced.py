"""A finished model as one TensorFlow function from raw pixels, which converters take.

Code that determines results is in `training`, which fingerprints cover. This module only rewrites
finished models, so it is here: changing it must not change fingerprints.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.errors import UserError
from stages.settings.sections import Kernels
from stages.training.tf_runtime import import_tensorflow

INPUT, OUTPUT = "pixels", "probabilities"  # names in every format


class Traced(NamedTuple):
    """A model, and its function from uint8 (n, height, width, channels) to {OUTPUT: float32}."""

    model: Any  # a keras.Model, which owns the weights
    function: Any  # a tf.function with one signature; n is not fixed


def trace(path: Path, kernels: Kernels) -> Traced:
    """Return the function of a `.keras` file of `stages.training.export`."""
    tf = import_tensorflow(kernels)
    import keras

    keras.utils.clear_session()
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    model = keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call, recursive=True
    )
    pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, INPUT)
    kinds = model.trainable_variables, model.non_trainable_variables
    weights = [[np.array(variable) for variable in variables] for variables in kinds]

    @tf.function(autograph=False, input_signature=[pixels])
    def answer(pixels):
        constant = ([tf.constant(values) for values in kind] for kind in weights)
        images = tf.cast(pixels, tf.float32)
        probability, _ = model.stateless_call(*constant, images, training=False)
        return {OUTPUT: probability}

    return Traced(model, answer)


def refusal(traced: Traced, operations: Collection[str], format_name: str) -> UserError:
    """Return the error to raise for operations, such as RFFT, that a format does not have."""
    graph = traced.function.get_concrete_function().graph
    names = [one.name for one in graph.get_operations() if one.type in operations]
    where = _layer(traced.model, names[0]) if names else "a layer"
    return UserError(
        f"{where} of this model cannot be converted to {format_name}, which has no counterpart of "
        f"TensorFlow's {', '.join(sorted(operations))}; replace it, or use the .keras file."
    )


def _layer(model: Any, operation: str) -> str:
    """Return the innermost layer that holds an operation named like "small_1/dense_1/MatMul"."""
    layers = {layer.name: type(layer).__name__ for layer in model._flatten_layers()}
    found = model.name
    for scope in operation.split("/"):
        for name in (re.sub(r"_\d+$", "", scope), scope):  # a scope's second use adds a number
            if name in layers:
                found = name
                break
    return f"the layer {found!r} ({layers[found]})"


def _call(layer: Any, *arguments: Any, **named: Any) -> Any:
    """Call a layer or an operation of Keras; for the views of `predict_views`, call `moved`."""
    import keras

    if type(layer).__name__ != "AffineTransform":
        return layer(*arguments, **named)
    images, transform = arguments
    return keras.layers.Lambda(lambda images: moved(images, transform))(images)


def moved(images: Any, transform: np.ndarray) -> Any:
    """Return what `stages.augment.views.moved` does, as a weighted sum of four gathered pixels.

    No other format has TensorFlow's operation. The transformation is constant, and so are the
    positions and weights of the pixels that it interpolates; those outside the image have weight 0.
    """
    import keras

    height, width, channels = images.shape[1:]
    across, down, offset = np.array([*transform, 1], np.float64).reshape(3, 3).T
    y, x = np.indices((height, width)).reshape(2, -1)
    at = np.outer(across, x) + np.outer(down, y) + offset[:, None]
    column, row = at[:2] / at[2]
    pixels = keras.ops.reshape(images, (-1, height * width, channels))
    total = 0.0
    for right, below in ((0, 0), (0, 1), (1, 0), (1, 1)):
        i, j = np.floor(column) + right, np.floor(row) + below
        inside = (i >= 0) & (i < width) & (j >= 0) & (j < height)
        weight = np.where(inside, (1 - abs(column - i)) * (1 - abs(row - j)), 0)
        index = np.where(inside, j * width + i, 0).astype(np.int32)
        gathered = keras.ops.take(pixels, index, axis=1)
        total += gathered * weight[:, None].astype(np.float32)
    return keras.ops.reshape(total, (-1, height, width, channels))
