"""Build reproducible Keras model files that map raw pixels to class probabilities."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.errors import UserError
from stages.training import trained_images
from stages.training.epoch import SCORING_BATCH
from stages.training.fold import network
from stages.training.recipe import Recipe
from stages.training.tf_runtime import import_tensorflow
from stages.training.trained_images import Listed


def assemble(
    recipe: Recipe,
    image_shape: tuple[int, int, int],
    classes: int,
    members: Sequence[Sequence[np.ndarray]],
    listed: Listed,
) -> bytes:
    """Build the model file of a variant.

    Args:
        recipe: the variant's settings.
        image_shape: (height, width, channels).
        classes: number of classes.
        members: the weights of each member model, as returned by `model.get_weights()`.
        listed: the images that the members were trained on.

    Returns:
        The content of a `.keras` file. The model takes float32 or uint8 (n, height, width,
        channels) in 0-255 and returns the mean of its members' probabilities, float32
        (n, classes). It computes in float32 regardless of the training precision.
    """
    import_tensorflow()
    import keras

    keras.utils.clear_session()
    pixels = keras.Input(image_shape, name="pixels")
    votes = []
    for number, weights in enumerate(members):
        member = network(recipe, image_shape, classes)
        member.name = f"member_{number}"
        member.set_weights(weights)
        votes.append(keras.layers.Softmax(name=f"vote_{number}")(member(pixels)))
    mean = keras.layers.Average(name="soft_vote")(votes) if len(votes) > 1 else votes[0]
    return _saved(keras.Model(pixels, mean, name=recipe.variant), listed)


def average(
    variant: str, image_shape: tuple[int, int, int], classes: int, members: Mapping[str, bytes]
) -> bytes:
    """Build the model file of an ensemble from the model files of other variants.

    Args:
        variant: the ensemble's name.
        image_shape: (height, width, channels).
        classes: number of classes.
        members: variant -> the content of its model file.

    Raises:
        UserError: when a member has a different input shape or number of classes.

    Returns:
        The content of a `.keras` file, as for `assemble`. The model returns the mean of its
        members' probabilities. The file lists every image that any member was trained on.
    """
    import_tensorflow()
    import keras

    keras.utils.clear_session()
    pixels = keras.Input(image_shape, name="pixels")
    votes = []
    for number, (name, content) in enumerate(members.items()):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(content)
            member = keras.saving.load_model(path, compile=False, safe_mode=True)
        shapes = [*member.input_shape[1:]], [*member.output_shape[1:]]
        if shapes != ([*image_shape], [classes]):
            raise UserError(
                f"variants.{variant}.ensemble includes {name!r}, whose model maps images of shape "
                f"{shapes[0]} to {shapes[1]} classes, but the data have shape {[*image_shape]} and "
                f"{classes} classes; train {name!r} on these data, or remove it."
            )
        member.name = f"member_{number}"
        votes.append(keras.layers.Identity(name=f"vote_{number}")(member(pixels)))
    mean = keras.layers.Average(name="soft_vote")(votes)
    listed = trained_images.merged(map(trained_images.read, members.values()))
    return _saved(keras.Model(pixels, mean, name=variant), listed)


def probabilities(path: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score images with a model file.

    Args:
        path: a `.keras` file made by `assemble` or `average`.
        images: uint8 (n, height, width, channels).

    Returns:
        The model's probabilities, float32 (n, classes), and those of each member, float32
        (members, n, classes).
    """
    tf = import_tensorflow()
    import keras

    keras.utils.clear_session()
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    votes = [layer.output for layer in model.layers if layer.name.startswith("vote_")]
    each = keras.Model(model.input, [model.output, *votes])

    @tf.function(autograph=False, reduce_retracing=True)
    def score(batch):
        return each(tf.cast(batch, tf.float32), training=False)

    parts = [
        [scores.numpy() for scores in score(images[start : start + SCORING_BATCH])]
        for start in range(0, len(images), SCORING_BATCH)
    ]
    mean, *members = (np.concatenate(scores) for scores in zip(*parts, strict=True))
    return mean, np.stack(members)


def _saved(model, listed: Listed) -> bytes:
    """Return the content of a model's `.keras` file; equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return _normalized(path, listed)


def _normalized(path: Path, listed: Listed) -> bytes:
    """Return a `.keras` file's content, normalized to be reproducible, with the list of images.

    Saving a model twice gives different time stamps in the metadata and the zip archive, and
    different ids of shared objects, for which Keras uses memory addresses.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(content, "w") as normalized:
        for name in sorted(saved.namelist()):
            data = saved.read(name)
            if name == "metadata.json":
                data = json.dumps(json.loads(data) | {"date_saved": "1980-01-01@00:00:00"}).encode()
            if name == "config.json":
                shared = re.compile(rb'(?<="shared_object_id": )\d+')
                numbers = {
                    address: number
                    for number, address in enumerate(dict.fromkeys(shared.findall(data)))
                }
                data = shared.sub(lambda match, by=numbers: b"%d" % by[match[0]], data)
            normalized.writestr(zipfile.ZipInfo(name), data)  # the default date is 1980
        trained_images.write(normalized, listed)
    return content.getvalue()
