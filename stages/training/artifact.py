"""The artifact: one Keras model file from raw pixels to class probabilities, byte by byte again."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.models import build
from stages.training.fold import SCORING_BATCH, import_tensorflow
from stages.training.recipe import Recipe


def assemble(
    recipe: Recipe,
    image_shape: tuple[int, int, int],
    classes: int,
    members: Sequence[Sequence[np.ndarray]],
) -> bytes:
    """Make the model file of a variant.

    Args:
        recipe: the variant's settings.
        image_shape: (height, width, channels).
        classes: number of classes.
        members: the weights of each model that votes, as `model.get_weights()` gives them.

    Returns:
        The content of a `.keras` file. The model takes float32 or uint8 (n, height, width,
        channels) in 0-255 and gives the mean of its members' probabilities, float32 (n, classes).
    """
    import_tensorflow()
    import keras

    keras.utils.clear_session()
    pixels = keras.Input(image_shape, name="pixels")
    votes = []
    for number, weights in enumerate(members):
        member = build(recipe.architecture, image_shape, classes)
        member.name = f"member_{number}"
        member.set_weights(weights)
        votes.append(keras.layers.Softmax(name=f"vote_{number}")(member(pixels)))
    mean = keras.layers.Average(name="soft_vote")(votes) if len(votes) > 1 else votes[0]
    model = keras.Model(pixels, mean, name=recipe.variant)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return _stable(path)


def probabilities(path: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score images with a model file.

    Args:
        path: a `.keras` file that `assemble` made.
        images: uint8 (n, height, width, channels).

    Returns:
        The model's probabilities float32 (n, classes), and those of its members, one by one,
        float32 (members, n, classes).
    """
    tf = import_tensorflow()
    import keras

    keras.utils.clear_session()
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    votes = [layer.output for layer in model.layers if layer.name.startswith("vote_")]
    each = keras.Model(model.input, [model.output, *votes])

    @tf.function(reduce_retracing=True)
    def score(batch):
        return each(tf.cast(batch, tf.float32), training=False)

    parts = [
        [scores.numpy() for scores in score(images[start : start + SCORING_BATCH])]
        for start in range(0, len(images), SCORING_BATCH)
    ]
    mean, *members = (np.concatenate(scores) for scores in zip(*parts, strict=True))
    return mean, np.stack(members)


def _stable(path: Path) -> bytes:
    """Return a `.keras` file's content without what differs between two savings of one model.

    That is the time of saving, in its metadata and in the zip archive, and the memory addresses
    that Keras takes as names of objects that layers share.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(path) as saved, zipfile.ZipFile(content, "w") as stable:
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
                data = shared.sub(lambda found, by=numbers: b"%d" % by[found[0]], data)
            stable.writestr(zipfile.ZipInfo(name), data)  # a ZipInfo's own date is 1980
    return content.getvalue()
