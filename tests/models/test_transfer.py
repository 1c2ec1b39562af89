import io
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.errors import UserError
from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from tests.refusals import refused

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
    body = made.get_layer("body")
    expected = keras.Model(saved.inputs[0], saved.layers[-2].input)(PIXELS, training=False)
    np.testing.assert_array_equal(body(PIXELS, training=False), expected)
    assert made.count_params() == body.count_params() + 6 * 5 + 5 + 5 * 3 + 3


def test_a_network_without_a_head_gets_one_on_the_means_of_its_feature_maps(saved, tmp_path):
    maps = keras.Model(saved.inputs[0], saved.layers[2].output)  # ends with Dropout after them
    body = started(file_of(maps, tmp_path), classes=3).get_layer("body")
    expected = maps(PIXELS, training=False).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(body(PIXELS, training=False), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("pixels", "factor", "offset"), [("raw", 1, 0), ("unit", 1 / 255, 0), ("signed", 2 / 255, -1)]
)
def test_the_body_gets_the_pixels_that_it_expects(content, pixels, factor, offset):
    made = started(content, pixels=pixels)
    body, head = made.get_layer("body"), made.layers[-1]
    expected = head(body(PIXELS * factor + offset, training=False))
    np.testing.assert_allclose(made(PIXELS), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("freeze", "frozen"), [("all", 3), ("none", 0), (0, 0), (1, 1), (3, 3)])
def test_the_setting_decides_what_is_frozen_and_not_the_saved_model(freeze, frozen, tmp_path):
    model = classifier()
    model.trainable = False
    made = started(file_of(model, tmp_path), freeze=freeze)
    _, normalization, _ = weighted = [one for one in made.get_layer("body").layers if one.weights]
    assert [layer.trainable for layer in weighted] == [index >= frozen for index in range(3)]
    assert len(made.trainable_variables) == 2 + 2 * (3 - frozen)
    before = normalization.moving_mean.numpy()
    made(PIXELS, training=True)  # frozen batch normalization keeps its statistics
    assert np.array_equal(normalization.moving_mean.numpy(), before) == (frozen >= 2)


def test_one_member_of_a_vote_is_taken(tmp_path):
    pixels, members = keras.Input(SHAPE), [classifier(0), classifier(1)]
    for number, member in enumerate(members):
        member.name = f"member_{number}"
    vote = keras.layers.Average()([member(pixels) for member in members])
    content = file_of(keras.Model(pixels, vote), tmp_path)
    for number, member in enumerate(members):
        body = started(content, member=number).get_layer("body")
        np.testing.assert_array_equal(body.get_weights()[0], member.get_weights()[0])


def test_a_started_model_can_be_started_from(saved, content, tmp_path):
    made = started(file_of(started(content), tmp_path), classes=4)
    assert made.output_shape == (None, 4)
    inner = made.get_layer("body").get_layer("body")
    np.testing.assert_array_equal(inner.get_weights()[0], saved.get_weights()[0])


def test_the_body_computes_in_the_precision_of_the_rest(content):
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        made = started(content)
    finally:
        keras.config.set_dtype_policy("float32")
    traced = tf.function(made.get_layer("body")).get_concrete_function(tf.TensorSpec(PIXELS.shape))
    assert traced.output_dtypes == tf.bfloat16  # not computed: portable kernels cannot
    assert {weights.dtype for weights in made.get_weights()} == {np.dtype("f4")}


def test_a_file_that_keras_cannot_load_is_refused_in_one_sentence(content):
    damaged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as saved, zipfile.ZipFile(damaged, "w") as other:
        for name in ("metadata.json", "config.json"):
            other.writestr(name, saved.read(name))
        other.writestr("model.weights.h5", b"nothing of it")
    with refused("'from_model'"):
        started(damaged.getvalue())


def test_freezing_more_layers_than_there_are_is_refused(content):
    with pytest.raises(UserError, match="'from_model' has freeze: 4"):
        started(content, freeze=4)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("freeze", value) for value in ("some", -1, True)],
        ("pixels", "256"),
        ("model", "foldlab"),
        ("sha256", "abc"),
        ("content", b""),  # not a setting
    ],
)
def test_arguments_are_checked_without_a_file(argument, value):
    with pytest.raises(UserError, match=rf"^from_model\.{argument} is "):
        check_arguments(ARCHITECTURES["from_model"], {argument: value}, "from_model")
