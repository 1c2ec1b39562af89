import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.training.fast_layers import layers
from tests.training.alike import assert_trains_alike

FAST = layers()
IMAGES = np.random.default_rng(0).normal(size=(8, 9, 9, 2)).astype("f4")


@pytest.mark.slow
def test_training_with_fast_layers_gives_the_losses_of_keras():
    optimizers = keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01)
    assert_trains_alike((FAST, optimizers[0]), (keras.layers, optimizers[1]))


def operations(function, *arguments):
    return tf.function(function).get_concrete_function(*arguments).graph.get_operations()


def kinds(function, *arguments):
    return {operation.type for operation in operations(function, *arguments)}


def test_batch_normalization_uses_the_fused_kernel():
    layer = FAST.BatchNormalization()
    layer.build(IMAGES.shape)
    assert "FusedBatchNormV3" in kinds(lambda images: layer(images, training=True), IMAGES)


def test_a_frozen_layer_keeps_its_statistics():
    layer = FAST.BatchNormalization(trainable=False)
    layer(IMAGES + 7, training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(2))


def test_biases_take_no_kernel_together_with_filters():
    layer = FAST.Conv2D(2, 3, activation="relu")
    layer.build(IMAGES.shape)

    def gradients(images):
        loss = tf.reduce_sum(layer(images) ** 2)
        return tf.gradients(loss, [variable.value for variable in layer.trainable_variables])

    found = kinds(gradients, tf.constant(IMAGES))
    assert "Conv2DBackpropFilter" in found
    assert "BiasAddGrad" not in found


@settings(deadline=None, max_examples=30)
@given(
    rate=st.floats(0.001, 0.999),
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple),
    seed=st.integers(0, 2**31 - 1),
)
def test_dropout_and_its_gradient_keep_or_drop_each_value_and_scale_the_kept(rate, shape, seed):
    values = tf.Variable(np.random.default_rng(seed).uniform(1, 2, shape).astype("f4"))
    with tf.GradientTape() as tape:
        dropped = FAST.Dropout(rate, seed=seed)(values, training=True)
    again = FAST.Dropout(rate, seed=seed)(values, training=True)
    np.testing.assert_array_equal(dropped, again)
    scale = np.where(dropped.numpy() != 0, 1 / (1 - rate), 0)
    np.testing.assert_allclose(dropped, values.numpy() * scale, rtol=0.02)
    np.testing.assert_allclose(tape.gradient(dropped, values), scale, rtol=0.02)
    np.testing.assert_array_equal(FAST.Dropout(rate)(values, training=False), values)


@pytest.mark.parametrize("rate", [0.0001, 0.25, 0.999])
def test_dropout_drops_as_many_as_its_rate_says(rate):
    count = 1_000_001
    layer = FAST.Dropout(rate, seed=1)
    first, second = (np.asarray(layer(np.ones(count, "f4"), training=True)) for _ in range(2))
    error = np.sqrt(rate * (1 - rate) / count)
    for drawn in (first, second):
        assert abs((drawn == 0).mean() - rate) < 4 * error + 2**-17
        assert abs(drawn.mean() - 1) < 4 * error / (1 - rate) + 1e-5
    # Draws are independent, and so are the halves of one word.
    for one, other in ((first, second), (first[:-1], first[1:])):
        both = ((one == 0) & (other == 0)).mean()
        assert abs(both - rate**2) < 4 * np.sqrt(rate**2 / count) + 1e-4


def test_dropout_in_bfloat16_with_a_noise_shape_and_of_everything():
    ones = np.ones((64, 3), "f4")
    half = FAST.Dropout(0.5, dtype="mixed_bfloat16")(ones, training=True)
    assert half.dtype == tf.bfloat16
    assert set(np.unique(tf.cast(half, tf.float32))) == {0.0, 2.0}
    rows = np.asarray(FAST.Dropout(0.5, noise_shape=(None, 1))(ones, training=True))
    np.testing.assert_array_equal(rows, rows[:, :1].repeat(3, 1))
    np.testing.assert_array_equal(FAST.Dropout(1.0)(ones, training=True), 0 * ones)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pooling_a_relu_gives_the_bits_of_keras_own_and_relu_comes_second(padding):
    def stepped(pooling):
        keras.utils.set_random_seed(1)
        pixels = keras.Input(IMAGES.shape[1:])
        x = FAST.Conv2D(4, 3, activation="relu")(pixels)
        x = pooling(padding=padding)(x)
        model = keras.Model(pixels, keras.layers.Dense(3)(keras.layers.Flatten()(x)))

        def step():
            loss = tf.reduce_sum(model(IMAGES, training=True) ** 2)
            return loss, *tf.gradients(loss, [v.value for v in model.trainable_variables])

        (pooled,) = (one for one in operations(step) if one.type == "MaxPool")
        return tf.function(step)(), pooled.inputs[0].op.type

    ours, before = stepped(FAST.MaxPooling2D)
    own, own_before = stepped(keras.layers.MaxPooling2D)
    assert (before, own_before) == ("BiasAdd", "Relu")
    for value, expected in zip(ours, own, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_pooling_alone_and_in_eager_mode_is_keras_own():
    expected = keras.layers.MaxPooling2D()(IMAGES)
    np.testing.assert_array_equal(FAST.MaxPooling2D()(IMAGES), expected)
    np.testing.assert_array_equal(tf.function(FAST.MaxPooling2D())(IMAGES), expected)


def test_all_other_layers_are_keras_own():
    ours, own = vars(FAST), vars(keras.layers)
    faster = {"BatchNormalization", "Conv2D", "Dropout", "MaxPooling2D"}
    assert {name for name in own if ours[name] is not own[name]} == faster
