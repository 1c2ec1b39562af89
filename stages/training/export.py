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
from stages.models.transfer import load_model
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

    def models():  # one after the other, because the order of all layers is in the file
        for weights in members:
            model = network(recipe, image_shape, classes)
            model.set_weights(weights)
            yield model

    return _soft_vote(recipe.variant, image_shape, models(), keras.layers.Softmax, listed)


def average(
    variant: str, image_shape: tuple[int, int, int], classes: int, members: Mapping[str, bytes]
) -> bytes:
    """Build the model file of an ensemble from `members`: variant -> its model file's content.

    Returns:
        The content of a `.keras` file, as for `assemble`. It lists every image that any member was
        trained on.

    Raises:
        UserError: when a member has a different input shape or number of classes.
    """
    import_tensorflow()
    import keras

    keras.utils.clear_session()
    models = {name: load_model(content) for name, content in members.items()}
    for name, model in models.items():
        shapes = [*model.input_shape[1:]], [*model.output_shape[1:]]
        if shapes != ([*image_shape], [classes]):
            raise UserError(
                f"variants.{variant}.ensemble includes {name!r}, whose model maps images of shape "
                f"{shapes[0]} to {shapes[1]} classes, but the data have shape {[*image_shape]} and "
                f"{classes} classes; train {name!r} on these data, or remove it."
            )
    listed = trained_images.merged(map(trained_images.read, members.values()))
    return _soft_vote(variant, image_shape, models.values(), keras.layers.Identity, listed)


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


def _soft_vote(name: str, image_shape, models, vote, listed: Listed) -> bytes:
    """Return the file of the mean of models, whose outputs the layer class `vote` makes votes."""
    import keras

    pixels = keras.Input(image_shape, name="pixels")
    votes = []
    for number, model in enumerate(models):
        model.name = f"member_{number}"
        votes.append(vote(name=f"vote_{number}")(model(pixels)))
    mean = keras.layers.Average(name="soft_vote")(votes) if len(votes) > 1 else votes[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        keras.Model(pixels, mean, name=name).save(path)
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
                ids = list(dict.fromkeys(shared.findall(data)))
                data = shared.sub(lambda match, ids=ids: b"%d" % ids.index(match[0]), data)
            normalized.writestr(zipfile.ZipInfo(name), data)  # the default date is 1980
        trained_images.write(normalized, listed)
    return content.getvalue()
