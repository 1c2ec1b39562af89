from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.training import fast_layers
from tests.training.test_fast_optimizers import trained


@pytest.mark.slow
def test_training_with_fast_layers_gives_the_losses_of_keras():
    losses, weights = trained(fast_layers.layers(), keras.optimizers.SGD(0.01))
    expected, plain = trained(keras.layers, keras.optimizers.SGD(0.01))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for ours, theirs in zip(weights, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_batch_normalization_uses_the_fused_kernel():
    layer = fast_layers.layers().BatchNormalization()
    layer.build((None, 8, 8, 2))
    graph = tf.function(lambda images: layer(images, training=True)).get_concrete_function(
        tf.TensorSpec((4, 8, 8, 2))
    )
    assert "FusedBatchNormV3" in {operation.type for operation in graph.graph.get_operations()}


def test_a_frozen_layer_keeps_its_statistics():
    layer = fast_layers.layers().BatchNormalization(trainable=False)
    layer(np.ones((2, 4, 4, 3), "f4") * 7, training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))


def test_biases_take_no_kernel_together_with_filters():
    layer = fast_layers.layers().Conv2D(2, 3, activation="relu")
    layer.build((None, 8, 8, 1))

    @tf.function
    def gradients(images):
        loss = tf.reduce_sum(layer(images) ** 2)
        return tf.gradients(loss, [variable.value for variable in layer.trainable_variables])

    graph = gradients.get_concrete_function(tf.TensorSpec((4, 8, 8, 1))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert "Conv2DBackpropFilter" in kinds
    assert "BiasAddGrad" not in kinds


@pytest.mark.parametrize(
    "settings",
    [{"dtype": "mixed_bfloat16"}, {"use_bias": False}, {"strides": 2, "padding": "same"}],
)
def test_a_convolution_scores_as_keras_own(settings):
    images = np.random.default_rng(0).normal(size=(3, 9, 9, 2)).astype("f4")
    ours, own = (
        namespace.Conv2D(4, 3, activation="relu", **settings)
        for namespace in (fast_layers.layers(), keras.layers)
    )
    for layer in (ours, own):
        layer.build(images.shape)
    own.set_weights(ours.get_weights())
    np.testing.assert_array_equal(
        tf.cast(ours(images), tf.float32), tf.cast(own(images), tf.float32)
    )


@settings(deadline=None, max_examples=30)
@given(
    rate=st.floats(0.001, 0.999),
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple),
    seed=st.integers(0, 2**31 - 1),
)
def test_dropout_keeps_or_drops_each_value_and_scales_the_kept(rate, shape, seed):
    values = np.random.default_rng(seed).uniform(1, 2, shape).astype("f4")
    first, again = (
        np.asarray(fast_layers.layers().Dropout(rate, seed=seed)(values, training=True))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    kept = first != 0
    np.testing.assert_allclose(first[kept], values[kept] / (1 - rate), rtol=0.02)
    np.testing.assert_array_equal(
        fast_layers.layers().Dropout(rate)(values, training=False), values
    )


@pytest.mark.parametrize("rate", [0.0001, 0.1, 0.25, 0.4, 0.5, 0.999])
def test_dropout_drops_as_many_as_its_rate_says(rate):
    count = 1_000_001
    layer = fast_layers.layers().Dropout(rate, seed=1)
    first, second = (np.asarray(layer(np.ones(count, "f4"), training=True)) for _ in range(2))
    error = np.sqrt(rate * (1 - rate) / count)
    for drawn in (first, second):
        assert abs((drawn == 0).mean() - rate) < 4 * error + 2**-17
        assert abs(drawn.mean() - 1) < 4 * error / (1 - rate) + 1e-5
    both = ((first == 0) & (second == 0)).mean()
    assert abs(both - rate**2) < 4 * np.sqrt(rate**2 / count) + 1e-4  # independent draws
    beside = ((first[:-1] == 0) & (first[1:] == 0)).mean()
    assert abs(beside - rate**2) < 4 * np.sqrt(rate**2 / count) + 1e-4  # halves of one word


def test_the_gradient_of_dropout_passes_what_was_kept():
    values = tf.Variable(np.arange(1, 12, dtype="f4"))
    with tf.GradientTape() as tape:
        dropped = fast_layers.layers().Dropout(0.5, seed=3)(values, training=True)
        loss = tf.reduce_sum(dropped)
    np.testing.assert_array_equal(
        tape.gradient(loss, values), np.where(dropped.numpy() != 0, 2.0, 0.0)
    )


def test_dropout_in_bfloat16_and_with_a_shape_of_its_own_or_all_dropped():
    ones = np.ones((64, 3), "f4")
    half = fast_layers.layers().Dropout(0.5, dtype="mixed_bfloat16")(ones, training=True)
    assert half.dtype == tf.bfloat16
    assert set(np.unique(tf.cast(half, tf.float32))) == {0.0, 2.0}
    rows = np.asarray(fast_layers.layers().Dropout(0.5, noise_shape=(None, 1))(ones, training=True))
    np.testing.assert_array_equal(rows, rows[:, :1].repeat(3, 1))
    np.testing.assert_array_equal(fast_layers.layers().Dropout(1.0)(ones, training=True), 0 * ones)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pooling_a_relu_gives_the_bits_of_keras_own_and_relu_comes_second(padding):
    def stepped(layers):
        keras.utils.set_random_seed(1)
        pixels = keras.Input((9, 9, 2))
        x = layers.Conv2D(4, 3, activation="relu")(pixels)
        x = layers.MaxPooling2D(padding=padding)(x)
        model = keras.Model(pixels, layers.Dense(3)(layers.Flatten()(x)))

        @tf.function
        def step(images):
            loss = tf.reduce_sum(model(images, training=True) ** 2)
            return loss, tf.gradients(loss, [v.value for v in model.trainable_variables])

        images = np.random.default_rng(2).normal(size=(8, 9, 9, 2)).astype("f4")
        operations = step.get_concrete_function(images).graph.get_operations()
        (pooling,) = (one for one in operations if one.type == "MaxPool")
        return step(images), pooling.inputs[0].op.type

    (loss, gradients), before = stepped(fast_layers.layers())
    (expected, own), own_before = stepped(
        SimpleNamespace(**vars(fast_layers.layers()) | {"MaxPooling2D": keras.layers.MaxPooling2D})
    )
    assert (before, own_before) == ("BiasAdd", "Relu")
    np.testing.assert_array_equal(loss, expected)
    for gradient, other in zip(gradients, own, strict=True):
        np.testing.assert_array_equal(gradient, other)


def test_pooling_alone_and_in_eager_mode_is_keras_own():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("f4")
    expected = keras.layers.MaxPooling2D()(images)
    np.testing.assert_array_equal(fast_layers.layers().MaxPooling2D()(images), expected)
    pooled = tf.function(fast_layers.layers().MaxPooling2D())(images)
    np.testing.assert_array_equal(pooled, expected)


@pytest.mark.parametrize("name", ["Dense", "AveragePooling2D", "SpatialDropout2D"])
def test_all_other_layers_are_keras_own(name):
    assert getattr(fast_layers.layers(), name) is getattr(keras.layers, name)
