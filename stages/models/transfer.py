"""Transfer learning: the body of a saved model under a new head."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from stages.errors import UserError
from stages.models import architecture

Rate = Annotated[float, Field(ge=0, lt=1)]
Units = Annotated[int, Field(ge=1, le=65536)]
Digest = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
REGISTERED = r"^models:/[^/@:]+(/[0-9]+|@[^/@:]+)$"

# pixels that the saved model expects -> factor and offset from pixels of 0 to 1
RANGES = {"raw": (255.0, 0.0), "unit": (1.0, 0.0), "signed": (2.0, -1.0)}


def _freezing(given: Any) -> str | int:
    if given in ("all", "none") or (type(given) is int and given >= 0):
        return given
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
    sha256: Digest = "",
    member: Annotated[int, Field(ge=0)] = 0,
    freeze: Annotated[str | int, PlainValidator(_freezing)] = "all",
    pixels: Literal["raw", "unit", "signed"] = "raw",
    dense: Units | None = None,
    dropout: Rate = 0.0,
    force: bool = False,
):
    """Start from a saved model: its layers before the last Dense, and a new head.

    The head is a ReLU layer of `dense` units, where it is set, Dropout, and one dense layer.
    Parameters: the saved model's, with the new head's for the old one's.

    Args:
        content: the saved model's file, which engine/saved_model.py reads and checks.
        path: a `.keras` file, from the repository's folder; or else
        model: a registered model, `models:/name/version`, fetched by `python -m stages fetch`.
        sha256: the file's digest. With it the row says which model it starts from.
        member: which of the models that vote, where the file is one of Foldlab's.
        freeze: `all` of the body's weights stay as they are, `none`, or those of so many leading
            layers with weights. Frozen batch normalisation uses and keeps its statistics; dropout
            in the body goes on in training.
        pixels: what the saved model takes: `raw` 0 to 255, `unit` 0 to 1, `signed` -1 to 1.
        force: start also from a model that was trained on images that validate or test this one.
    """
    body = _body(content, member)
    weighted = [layer for layer in body.layers if layer.weights]
    if isinstance(freeze, int) and freeze > len(weighted):
        raise UserError(
            f"architecture 'from_model' freezes {freeze} layers, but the saved model has only "
            f"{len(weighted)} with weights before its last Dense; freeze fewer, or all."
        )
    for place, layer in enumerate(weighted):  # whatever was frozen where it was saved
        layer.trainable = freeze == "none" or (freeze != "all" and place >= freeze)
    factor, offset = RANGES[pixels]
    x = images if pixels == "unit" else layers.Rescaling(factor, offset=offset)(images)
    x = body(x)
    if dense:
        x = layers.Dense(dense, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)


def _body(content: bytes, member: int):
    """Return the model that ends before the saved one's last Dense, in the present precision."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        file.write_bytes(content)
        try:
            saved = keras.saving.load_model(file, compile=False, safe_mode=True)
        except Exception as error:  # of many kinds, for a damaged file or one of another version
            said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
            raise UserError(
                f"architecture 'from_model': Keras {keras.__version__} cannot load the saved model "
                f"({said}); save it anew with this version."
            ) from None
    voting = [layer for layer in saved.layers if layer.name == f"member_{member}"]
    saved = voting[0] if voting else saved
    *_, last = (layer for layer in saved.layers if isinstance(layer, keras.layers.Dense))
    body = keras.Model(saved.inputs[0], last.input, name="body")
    for layer in _leaves(body):
        layer.dtype_policy = keras.config.dtype_policy()
    return body


def _leaves(model) -> Iterator:
    for layer in model.layers:
        yield from _leaves(layer) if hasattr(layer, "layers") else [layer]
