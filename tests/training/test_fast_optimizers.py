"""The uses of Keras' private attributes; an upgrade of Keras that changes them fails here."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training import fast_optimizers
from tests.training.alike import assert_trains_alike


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


@pytest.mark.slow
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
