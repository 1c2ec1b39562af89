from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.training import fast_layers


def trained(layers, optimizer, steps=6, momentum=0.9):
    """Train a small network in batches of different sizes; return losses and the model."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=False)(pixels)  # a bias would learn only noise
    x = layers.BatchNormalization(momentum=momentum)(x)
    x = layers.Conv2D(5, 3, activation="relu", padding="same")(layers.ReLU()(x))
    x = layers.Flatten()(x)
    x = layers.BatchNormalization(momentum=momentum)(x)
    model = keras.Model(pixels, layers.Dense(3)(x))
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        logits = model(images, training=True)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        )
        optimizer.apply(tf.gradients(loss, [v.value for v in model.trainable_variables]))
        return loss

    losses = []
    for size in [16, 16, 5] * (steps // 3):
        images = random.normal(size=(size, 8, 8, 1)).astype("f4")
        losses.append(float(step(images, random.integers(0, 3, size))))
    return np.array(losses), model


@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        ("Adam", {"beta_1": 0.8}),
        ("RMSprop", {"rho": 0.8}),
        ("RMSprop", {"rho": 0.8, "epsilon": 0.1}),
        ("RMSprop", {"momentum": 0.5, "centered": True}),
    ],
)
def test_training_loses_as_keras_own_layers_and_optimizer_do(optimizer, arguments):
    ours = getattr(fast_layers.optimizers(), optimizer)(0.01, **arguments)
    own = getattr(keras.optimizers, optimizer)(0.01, **arguments)
    losses, model = trained(fast_layers.layers(), ours)
    expected, plain = trained(keras.layers, own)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_it_is_the_fused_kernels_that_ran():
    layers = fast_layers.layers()
    pixels = keras.Input((8, 8, 2))
    model = keras.Model(pixels, layers.BatchNormalization()(pixels))
    optimizer = fast_layers.optimizers().Adam(0.1)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=True) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables))

    graph = step.get_concrete_function(tf.TensorSpec((4, 8, 8, 2))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert {"FusedBatchNormV3", "FusedBatchNormGradV3", "ResourceApplyAdam"} <= kinds


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


def test_all_other_optimizers_are_keras_own():
    ours, own = vars(fast_layers.optimizers()), vars(keras.optimizers)
    assert {name for name in own if ours[name] is not own[name]} == {"Adam", "RMSprop"}
