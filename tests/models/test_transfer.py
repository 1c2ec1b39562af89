import io
import zipfile

import keras
import numpy as np
import pytest

from stages.errors import UserError
from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named

SHAPE = (8, 8, 1)
PIXELS = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype("f4")


def file_of(model, folder):
    model.save(folder / "saved.keras")
    return (folder / "saved.keras").read_bytes()


def classifier(seed=0):
    """Return another tool's model, from raw pixels to probabilities of two classes."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(6),
            layers.Dense(2),
            layers.Softmax(),
        ]
    )


@pytest.fixture(scope="module")
def saved():
    return classifier()


@pytest.fixture(scope="module")
def content(saved, tmp_path_factory):
    return file_of(saved, tmp_path_factory.mktemp("saved"))


def started(content, classes=3, **arguments):
    full = check_arguments(ARCHITECTURES["from_model"], arguments, "from_model")
    return build(Named(name="from_model", arguments=full | {"content": content}), SHAPE, classes)


def test_the_body_ends_before_the_last_dense_and_the_head_is_new(saved, content):
    made = started(content, dense=5, dropout=0.1)
    assert made.output_shape == (None, 3)
    kinds = [type(layer).__name__ for layer in made.layers]
    assert kinds == ["InputLayer", *["Rescaling"] * 2, "Functional", "Dense", "Dropout", "Dense"]
    features = made.get_layer("body")
    expected = keras.Model(saved.inputs[0], saved.layers[-2].input)(PIXELS, training=False)
    np.testing.assert_array_equal(features(PIXELS, training=False), expected)
    assert made.count_params() == features.count_params() + 6 * 5 + 5 + 5 * 3 + 3


@pytest.mark.parametrize(
    ("pixels", "factor", "offset"), [("raw", 1, 0), ("unit", 1 / 255, 0), ("signed", 2 / 255, -1)]
)
def test_the_body_gets_the_pixels_that_it_expects(content, pixels, factor, offset):
    made = started(content, pixels=pixels)
    body, head = made.get_layer("body"), made.layers[-1]
    expected = head(body(PIXELS * factor + offset, training=False))
    np.testing.assert_allclose(made(PIXELS), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("freeze", "trainable"),
    [
        ("all", []),
        ("none", [True] * 3),
        (1, [False, True, True]),
        (3, [False] * 3),
        (0, [True] * 3),
    ],
)
def test_what_is_asked_is_frozen(content, freeze, trainable):
    made = started(content, freeze=freeze)
    weighted = [layer for layer in made.get_layer("body").layers if layer.weights]
    assert [layer.trainable for layer in weighted] == (trainable or [False] * 3)
    moving = sum(layer.weights != [] and layer.trainable for layer in weighted)
    assert bool(made.layers[-1].trainable_variables)
    assert (len(made.trainable_variables) == 2) == (moving == 0)


@pytest.mark.parametrize(("freeze", "trainable"), [("none", [True] * 3), (1, [False, True, True])])
def test_what_was_frozen_where_it_was_saved_does_not_matter(freeze, trainable, tmp_path):
    model = classifier()
    model.trainable = False
    made = started(file_of(model, tmp_path), freeze=freeze)
    weighted = [layer for layer in made.get_layer("body").layers if layer.weights]
    assert [layer.trainable for layer in weighted] == trainable


@pytest.mark.parametrize(("freeze", "stays"), [("all", True), (2, True), (1, False)])
def test_frozen_normalisation_keeps_its_statistics(content, freeze, stays):
    made = started(content, freeze=freeze)
    normalise = next(part for part in made.get_layer("body").layers if hasattr(part, "gamma"))
    before = normalise.moving_mean.numpy()
    made(PIXELS, training=True)
    assert np.array_equal(normalise.moving_mean.numpy(), before) == stays


def test_one_member_of_a_vote_is_taken(tmp_path):
    pixels = keras.Input(SHAPE)
    members = []
    for number in range(2):
        members.append(classifier(number))
        members[-1].name = f"member_{number}"
    vote = keras.layers.Average()([member(pixels) for member in members])
    content = file_of(keras.Model(pixels, vote), tmp_path)
    for number in range(2):
        body = started(content, member=number).get_layer("body")
        np.testing.assert_array_equal(body.get_weights()[0], members[number].get_weights()[0])


def test_a_started_model_can_be_started_from(content, tmp_path):
    again = file_of(started(content), tmp_path)
    made = started(again, classes=4)
    assert made.output_shape == (None, 4)
    np.testing.assert_array_equal(
        made.get_layer("body").get_layer("body").get_weights()[0],
        started(content).get_layer("body").get_weights()[0],
    )


def test_the_body_computes_in_the_precision_of_the_rest(content):
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        made = started(content)
    finally:
        keras.config.set_dtype_policy("float32")
    assert made.get_layer("body").output.dtype == "float32"  # the saved policy, but
    assert made.get_layer("body")(PIXELS).dtype == "bfloat16"
    assert {weights.dtype for weights in made.get_weights()} == {np.dtype("f4")}


def test_a_file_that_keras_cannot_load_is_refused_in_one_sentence(content):
    damaged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as saved, zipfile.ZipFile(damaged, "w") as other:
        for name in ("metadata.json", "config.json"):
            other.writestr(name, saved.read(name))
        other.writestr("model.weights.h5", b"nothing of it")
    with pytest.raises(UserError, match="'from_model'") as caught:
        started(damaged.getvalue())
    assert "\n" not in str(caught.value)


def test_freezing_more_layers_than_there_are_is_refused(content):
    with pytest.raises(UserError, match="'from_model' has freeze: 4"):
        started(content, freeze=4)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ({"freeze": "some"}, "from_model.freeze is 'some'"),
        ({"freeze": -1}, "from_model.freeze is -1"),
        ({"freeze": True}, "from_model.freeze is True"),
        ({"pixels": "256"}, "from_model.pixels is '256'"),
        ({"model": "foldlab"}, "from_model.model is 'foldlab'"),
        ({"sha256": "abc"}, "from_model.sha256 is 'abc'"),
        ({"content": b""}, "from_model.content is "),
    ],
)
def test_arguments_are_checked_without_a_file(arguments, start):
    with pytest.raises(UserError) as caught:
        check_arguments(ARCHITECTURES["from_model"], arguments, "from_model")
    assert str(caught.value).startswith(start)
