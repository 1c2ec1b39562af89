"""Pretrained backbones: networks from pixels to features, and the head that classifies these.

A backbone is a function `(layers, pixels) -> features`: `pixels` is a symbolic tensor (n, height,
width, 3) in 0-255, `features` one of (n, d). It contains its own preprocessing, so that all
backbones take the same images. Those of Keras also take `weights="imagenet"`.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from stages.errors import UserError
from stages.models import Rate, Units, architecture
from stages.settings.registry import register

BACKBONES: dict[str, Callable] = {}
backbone_network = register(BACKBONES)
MINIMUM = 32  # pixels per side: every backbone halves the image five times


def _check_freeze(value: Any) -> str | int:
    if value in ("all", "none") or (type(value) is int and value >= 1):
        return value
    raise ValueError("should be all, none, or a number of trailing stages to train")


@architecture
def backbone(
    layers,
    inputs,
    classes,
    *,
    name: str,
    weights: str | None = "imagenet",
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = "",
    freeze: Annotated[str | int, PlainValidator(_check_freeze)] = "all",
    rate: Annotated[float, Field(gt=0, le=1)] = 0.02,
    views: Annotated[int, Field(ge=1, le=100)] | None = None,
    dense: Units | None = None,
    dropout: Rate = 0.2,
):
    """Classify the features of a pretrained network by a head: dense layer, Dropout, logits.

    A frozen backbone's features, (n, d), are computed once for all folds and rows, and are the
    `inputs` here. The model file holds the backbone once, and one head per fold. Without freezing,
    the head is trained like this first, then together with the backbone, but for its batch
    normalization.

    Args:
        name: one of BACKBONES.
        weights: `imagenet`, null for random ones, or the path of a file with this network's
            weights: a model's `.keras` file or `.weights.h5`.
        sha256: the digest of the file at that path.
        freeze: `all`: only the head is trained; `none`: the whole backbone too; a number: its
            trailing stages, where a stage is all layers whose feature maps have the same height.
        rate: the learning rate of the second training as a fraction of `train.learning_rate`.
        views: with augmentation, how many augmented views of each image to compute features of;
            each epoch trains on one of them, drawn again.
        dense: units of a ReLU layer before the logits; null: none.
        dropout: before the logits.
    """
    x = inputs
    if freeze != "all":
        network = body(name, inputs.shape[1:])
        _freeze_stages(network, freeze)
        x = network(layers.Rescaling(255.0)(inputs))
    if dense:
        x = layers.Dense(dense, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes)(x)


def _freeze_stages(network, freeze: str | int) -> None:
    """Freeze normalization and all but the last stages; raises UserError if there are fewer."""
    import keras

    weighted = [layer for layer in network.layers if layer.weights]
    shapes = [layer.output.shape for layer in weighted]
    own = [shape[1] if len(shape) == 4 else 0 for shape in shapes]  # 0: of the last stage
    # Squeeze-and-excitation computes on 1x1 pixels; its stage is that of the layers after it.
    height_of = [*accumulate(reversed(own), max)][::-1]
    heights = sorted({*height_of} - {0})
    trained = len(heights) if freeze == "none" else int(freeze)
    if trained > len(heights):
        raise UserError(
            f"architecture 'backbone' has freeze: {freeze}, but for these images the backbone has "
            f"only {len(heights)} stages; use a smaller number, or none."
        )
    for layer, height in zip(weighted, height_of, strict=True):
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = height <= heights[trained - 1] and not normalizes


def body(name: str, image_shape: tuple[int, ...], **weights: str):
    """Build the Keras model of a backbone, from pixels of 0-255 (n, *image_shape) to features.

    Gray images get three equal channels. Initial weights depend on Keras' global seed, unless
    `weights="imagenet"` is given, which only those of Keras take.
    """
    import keras

    pixels = keras.Input(image_shape, name="pixels")
    x = keras.layers.Concatenate()([pixels] * 3) if image_shape[-1] == 1 else pixels
    return keras.Model(pixels, BACKBONES[name](keras.layers, x, **weights), name="backbone")


from stages.models import efficientnet_lite, keras_applications  # noqa: E402, F401 - fills the registry
