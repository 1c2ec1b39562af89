"""Build reproducible Keras model files that map raw pixels to class probabilities."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.augment import views
from stages.errors import UserError
from stages.models.transfer import load_model
from stages.settings.sections import Kernels
from stages.training import features, shrink, trained_images
from stages.training.epoch import scoring_batch
from stages.training.fold import Shape, network
from stages.training.recipe import Recipe
from stages.training.tf_runtime import import_tensorflow
from stages.training.trained_images import Listed


def assemble(
    recipe: Recipe,
    image_shape: Shape,
    classes: int,
    members: Sequence[Sequence[np.ndarray]],
    listed: Listed,
    frozen: Path | None = None,
    temperature: float = 1.0,
) -> bytes:
    """Return the content of a variant's `.keras` file; `members` has each member's `get_weights()`.

    With the file of a frozen backbone's weights, members are heads that share one backbone.

    The model takes float32 or uint8 (n, *image_shape) in 0-255 and returns the mean of its members'
    probabilities over `train.predict_views` views of an image, float32 (n, classes). Each member's
    logits are divided by `temperature`. The model computes in float32 regardless of the training
    precision. The file lists the images that the members were trained on.
    """
    import_tensorflow(recipe.train.kernels)
    import keras

    keras.utils.clear_session()

    own_shape = recipe.image_shape(image_shape)
    body = frozen and features.backbone(recipe.architecture, own_shape, frozen)
    shape = body.output_shape[1:] if body else own_shape

    def member(weights):
        model = network(recipe, shape, classes)
        model.set_weights(weights)
        return model

    # Lazily one after the other, because the order of all layers is in the file.
    models = map(member, members)
    train, vote = recipe.train, keras.layers.Softmax
    moves = views.transforms(recipe.augmentation, train.predict_views, train.seed, own_shape[:2])
    return _soft_vote(
        recipe.variant,
        image_shape,
        models,
        vote,
        listed,
        shrink.layer(recipe.shrink) if recipe.shrink > 1 else None,
        body,
        moves,
        temperature,
    )


def average(
    variant: str, image_shape: Shape, classes: int, members: Mapping[str, bytes], kernels: Kernels
) -> bytes:
    """Return an ensemble's model file, as `assemble` does, from `members`: variant -> its file.

    Raises:
        UserError: when a member has a different input shape or number of classes.
    """
    import_tensorflow(kernels)
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
    listed = trained_images.merged([trained_images.read(content) for content in members.values()])
    return _soft_vote(variant, image_shape, models.values(), keras.layers.Identity, listed)


def scorer(path: Path, kernels: Kernels) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load a file of `assemble` or `average`, and return a function that scores images with it.

    The function maps uint8 (n, height, width, channels) to the model's probabilities, float32
    (n, classes), and those of each member, float32 (members, n, classes).
    """
    tf = import_tensorflow(kernels)
    import keras

    keras.utils.clear_session()
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    votes = [layer.output for layer in model.layers if layer.name.startswith("vote_")]
    each = keras.Model(model.input, [model.output, *votes])

    @tf.function(autograph=False, reduce_retracing=True)
    def score(batch):
        return tf.stack(each(tf.cast(batch, tf.float32), training=False))

    seen = max(views.stacked(one) for one in (model, *model.layers))  # also of an ensemble's member
    size = max(1, scoring_batch(model.input_shape[1:]) // seen)  # views are scored at once

    def probabilities(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        starts = range(0, len(images), size)
        parts = [score(images[start : start + size]).numpy() for start in starts]
        mean, *members = np.concatenate(parts, axis=1)
        return mean, np.stack(members)

    return probabilities


def _soft_vote(
    name: str,
    image_shape,
    models,
    vote,
    listed: Listed,
    smaller=None,
    body=None,
    moves=(),
    temperature=1.0,
) -> bytes:
    """Return the file of the mean of models; a layer of class `vote` follows each.

    The models take pixels, after the layer `smaller` and then `body` if these are given. Each votes
    with its mean over the image and its views by `moves`, which are as `stages.augment.views` has
    them.

    Saving a model twice gives different time stamps in the metadata and the zip archive, and
    different ids of shared objects, for which Keras uses memory addresses. They are replaced here.
    """
    import keras

    pixels = keras.Input(image_shape, name="pixels")
    image = smaller(pixels) if smaller else pixels
    seen = [image, *(views.moved(image, move) for move in moves)]
    inputs = keras.ops.concatenate(seen, axis=0) if len(seen) > 1 else image  # n of each view
    inputs = body(inputs) if body else inputs
    votes = []
    for number, model in enumerate(models):
        model.name = f"member_{number}"
        answer = model(inputs)
        if temperature != 1:
            answer = keras.layers.Rescaling(1 / temperature, name=f"temperature_{number}")(answer)
        if len(seen) == 1:
            votes.append(vote(name=f"vote_{number}")(answer))
            continue
        each = vote(name=f"views_{number}")(answer)
        by_view = keras.ops.reshape(each, (len(seen), -1, each.shape[1]))
        votes.append(keras.layers.Identity(name=f"vote_{number}")(keras.ops.mean(by_view, axis=0)))
    mean = keras.layers.Average(name="soft_vote")(votes) if len(votes) > 1 else votes[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        keras.Model(pixels, mean, name=name).save(path)
        with zipfile.ZipFile(path) as saved:
            files = {file: saved.read(file) for file in sorted(saved.namelist())}
    metadata = json.loads(files["metadata.json"]) | {"date_saved": "1980-01-01@00:00:00"}
    files["metadata.json"] = json.dumps(metadata).encode()
    shared = re.compile(rb'(?<="shared_object_id": )\d+')
    config = files["config.json"]
    ids = list(dict.fromkeys(shared.findall(config)))
    files["config.json"] = shared.sub(lambda match: b"%d" % ids.index(match[0]), config)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as normalized:
        for file, data in files.items():
            normalized.writestr(zipfile.ZipInfo(file), data)  # the default date is 1980
        trained_images.write(normalized, listed)
    return content.getvalue()
