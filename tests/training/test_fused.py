import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training import fused


def trained(layers, optimizers, steps=6, momentum=0.9):
    """Return losses and weights after some steps of a small net; batches of different sizes."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=False)(pixels)  # a bias before normalising learns only noise
    x = layers.BatchNormalization(momentum=momentum)(x)
    x = layers.Flatten()(layers.ReLU()(x))
    x = layers.BatchNormalization(momentum=momentum)(x)
    model = keras.Model(pixels, layers.Dense(3)(x))
    optimizer = optimizers.Adam(0.01, beta_1=0.8)
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        optimizer.apply(tape.gradient(loss, model.trainable_variables))
        return loss

    losses = []
    for size in [16, 16, 5] * (steps // 3):
        images = random.normal(size=(size, 8, 8, 1)).astype("f4")
        losses.append(float(step(images, random.integers(0, 3, size))))
    return np.array(losses), model


def test_training_loses_as_keras_own_layers_and_optimizer_do():
    losses, model = trained(fused.layers(), fused.optimizers())
    expected, plain = trained(keras.layers, keras.optimizers)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_it_is_the_fused_kernels_that_ran():
    layers = fused.layers()
    pixels = keras.Input((8, 8, 2))
    model = keras.Model(pixels, layers.BatchNormalization()(pixels))
    optimizer = fused.optimizers().Adam(0.1)
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
    layer = fused.layers().BatchNormalization(trainable=False)
    layer(np.ones((2, 4, 4, 3), "f4") * 7, training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))


@pytest.mark.parametrize("name", ["Conv2D", "Dense", "Dropout", "MaxPooling2D"])
def test_all_other_layers_are_keras_own(name):
    assert getattr(fused.layers(), name) is getattr(keras.layers, name)


def test_all_other_optimizers_are_keras_own():
    ours, own = vars(fused.optimizers()), vars(keras.optimizers)
    assert {name for name in own if ours[name] is not own[name]} == {"Adam"}
