"""Transfer learning: a saved model's layers with a new head."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from stages.errors import UserError
from stages.models import Rate, Units, architecture

# layers that may follow the last Dense layer, or the feature maps, and are dropped with it
AFTER_DENSE = ("Activation", "BatchNormalization", "Dropout", "ReLU", "Softmax")
FEATURES = (  # layers with which a network without a head ends
    *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "AveragePooling2D", "MaxPooling2D"),
    *("Flatten", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Add", "Concatenate"),
)

REGISTERED = r"^models:/[^/@:]+(/[0-9]+|@[^/@:]+)$"

# pixels that the saved model expects -> factor and offset from pixels of 0 to 1
RANGES = {"raw": (255.0, 0.0), "unit": (1.0, 0.0), "signed": (2.0, -1.0)}


def _check_freeze(value: Any) -> str | int:
    if value in ("all", "none") or (type(value) is int and value >= 0):
        return value
    raise ValueError("should be all, none, or the number of leading layers with weights")


@architecture
def from_model(
    layers,
    images,
    classes,
    content: bytes = b"",
    *,
    path: str | None = None,
    model: Annotated[str, Field(pattern=REGISTERED)] | None = None,
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = "",
    member: Annotated[int, Field(ge=0)] = 0,
    freeze: Annotated[str | int, PlainValidator(_check_freeze)] = "all",
    pixels: Literal["raw", "unit", "signed"] = "raw",
    dense: Units | None = None,
    dropout: Rate = 0.0,
    force: bool = False,
):
    """Start from a saved model: replace its last Dense layer with a new head, or add one.

    A model without a Dense layer at its end, such as those that Keras has with `include_top=False`,
    gets the head on its output, or on the means of its feature maps.

    The head is a ReLU layer with `dense` units, if set, Dropout and one dense layer. The number of
    parameters is that of the saved model, with the new head instead of the old one.

    Args:
        content: the saved model's file, read and checked by engine/saved_model.py.
        path, model, sha256: a `.keras` file, relative to the repository's folder, or a registered
            model, `models:/name/version`, fetched by `python -m stages fetch`; its digest.
        member: the number of the member model, if the file is one of Foldlab's.
        freeze: `all`, `none`, or how many leading layers with weights are not trained. Frozen batch
            normalization does not update its statistics; the body's dropout remains active.
        pixels: the range that the saved model expects: `raw` 0-255, `unit` 0-1, `signed` -1 to 1.
        force: allow a model that was trained on images that validate or test this variant.
    """
    body = _body(content, member)
    weighted = [layer for layer in body.layers if layer.weights]
    frozen = freeze if isinstance(freeze, int) else {"all": len(weighted), "none": 0}[freeze]
    if frozen > len(weighted):
        raise UserError(
            f"architecture 'from_model' has freeze: {freeze}, but the saved model has only "
            f"{len(weighted)} layers with weights before its head; use a smaller number, or all."
        )
    for index, layer in enumerate(weighted):  # also resets what was frozen in the saved model
        layer.trainable = index >= frozen
    factor, offset = RANGES[pixels]
    x = images if pixels == "unit" else layers.Rescaling(factor, offset=offset)(images)
    x = body(x)
    if dense:
        x = layers.Dense(dense, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)


class UnreadableModelError(Exception):
    """Keras cannot load a model file; the message is the first line of its reason."""


def load_model(content: bytes):
    """Return the Keras model in the content of a `.keras` file, or raise UnreadableModelError."""
    import keras

    with tempfile.TemporaryDirectory() as folder:  # Keras loads from paths only
        file = Path(folder) / "model.keras"
        file.write_bytes(content)
        try:
            return keras.saving.load_model(file, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises many types for damaged or incompatible files
            raise UnreadableModelError(first_line(error)) from None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type, without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")


def _body(content: bytes, member: int):
    """Return the saved model up to its last Dense layer, or whole, in the current precision."""
    import keras

    try:
        saved = load_model(content)
    except UnreadableModelError as error:
        raise UserError(
            f"architecture 'from_model': Keras {keras.__version__} could not load the saved "
            f"model ({error}); save it again with this version."
        ) from None
    saved = next((one for one in saved.layers if one.name == f"member_{member}"), saved)
    last = next(one for one in reversed(saved.layers) if type(one).__name__ not in AFTER_DENSE)
    features = last.input if isinstance(last, keras.layers.Dense) else saved.outputs[0]
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D()(features)
    body = keras.Model(saved.inputs[0], features, name="body")
    pending = [body]
    while pending:
        for layer in pending.pop().layers:
            if hasattr(layer, "layers"):
                pending.append(layer)
            else:
                layer.dtype_policy = keras.config.dtype_policy()
    return body
