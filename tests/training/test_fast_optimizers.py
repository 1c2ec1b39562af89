"""The uses of Keras' private attributes; an upgrade of Keras that changes them fails here."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.engine.resolve import recipe
from stages.training import fast_optimizers
from stages.training.epoch import compiled_epoch
from tests.prepared import parse


def trained(layers, optimizer):
    """Train two epochs of batches of 16, 16 and 5 images; return losses and weights."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=False)(pixels)  # a bias would learn only noise
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Conv2D(5, 3, activation="relu", padding="same")(layers.ReLU()(x))
    x = layers.BatchNormalization(momentum=0.9)(layers.Flatten()(x))
    model = keras.Model(pixels, layers.Dense(3)(x))
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 4, (37, 8, 8, 1), "uint8"), random.integers(0, 3, 37)
    epoch = compiled_epoch(tf, model, optimizer, images, labels, 3, recipe(parse(), "basic"))
    losses = [float(epoch(np.arange(37), np.int32([1, n]))[0]) for n in (1, 2)]
    return losses, model.get_weights()


def assert_trains_alike(ours, own):
    """Compare two pairs of layers and optimizer."""
    (losses, weights), (expected, theirs) = trained(*ours), trained(*own)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for one, other in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"), [("Adam", {"beta_1": 0.8}), ("RMSprop", {"rho": 0.8, "epsilon": 0.1})]
)
def test_state_and_step_are_those_of_keras(name, arguments):
    """Uses `_get_variable_index`, `_momentums` and `_velocities`."""
    ours, own = (
        getattr(namespace, name)(0.01, **arguments)
        for namespace in (fast_optimizers.optimizers(), keras.optimizers)
    )
    assert_trains_alike((keras.layers, ours), (keras.layers, own))


@pytest.mark.parametrize(("name", "kernel"), [("Adam", "Adam"), ("RMSprop", "RMSProp")])
def test_a_step_is_one_kernel(name, kernel):
    weight = keras.Variable(np.ones(4, "f4"))
    optimizer = getattr(fast_optimizers.optimizers(), name)(0.1)
    optimizer.build([weight])
    step = tf.function(lambda gradient: optimizer.apply([gradient]))
    graph = step.get_concrete_function(tf.TensorSpec((4,))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert f"ResourceApply{kernel}" in kinds


@pytest.mark.parametrize("freed", [True, False])
def test_keras_keeps_the_graph_unless_reduction_is_skipped(freed):
    """Uses `_all_reduce_sum_gradients`; if False fails, `keep_no_graph` can go."""

    def graphs():
        gc.collect()
        return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())

    def train():
        weight = keras.Variable(np.ones(4, "f4"))
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build([weight])
        if freed:
            fast_optimizers.keep_no_graph(optimizer)
        tf.function(lambda gradient: optimizer.apply([gradient]))(tf.ones(4))

    train()
    before = graphs()
    train()
    assert (graphs() == before) == freed


def test_all_other_optimizers_are_keras_own():
    ours, own = vars(fast_optimizers.optimizers()), vars(keras.optimizers)
    assert {name for name in own if ours[name] is not own[name]} == {"Adam", "RMSprop"}
