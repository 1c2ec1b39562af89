import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.settings.registry import check_arguments
from stages.settings.sections import Named
from stages.training.optimizers import OPTIMIZERS


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_is_keras_own_with_the_rate_given(name):
    arguments = check_arguments(OPTIMIZERS[name], {}, name)
    optimizer = OPTIMIZERS[name](keras.optimizers, 0.25, **arguments)
    assert float(optimizer.learning_rate) == 0.25
    assert type(optimizer).__name__.lower() == name
    assert all(getattr(optimizer, key) == value for key, value in arguments.items())


def test_arguments_reach_the_optimizer():
    named = Named(name="adam", arguments={"beta_1": 0.7})
    arguments = check_arguments(OPTIMIZERS["adam"], named.arguments, "adam")
    assert OPTIMIZERS["adam"](keras.optimizers, 0.1, **arguments).beta_1 == 0.7


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_what_all_optimizers_share_reaches_each(name):
    arguments = check_arguments(OPTIMIZERS[name], {}, name)
    shared = {"global_clipnorm": 2.0, "use_ema": True, "ema_momentum": 0.5}
    optimizer = OPTIMIZERS[name](keras.optimizers, 0.1, **arguments, **shared)
    assert {key: getattr(optimizer, key) for key in shared} == shared


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_step_in_the_compiled_loop_moves_every_weight(name):
    kernel, bias = keras.Variable(np.eye(3, 4, dtype="f4")), keras.Variable(np.ones(4, "f4"))
    arguments = check_arguments(OPTIMIZERS[name], {}, name)
    optimizer = OPTIMIZERS[name](keras.optimizers, 0.1, **arguments)
    optimizer.build([kernel, bias])

    @tf.function
    def step():
        for _ in tf.range(2):
            optimizer.apply([tf.ones((3, 4)), tf.ones(4)])

    step()
    assert (kernel.numpy() < np.eye(3, 4)).all()
    assert (bias.numpy() < 1).all()


def test_adamw_decays_weights_without_a_gradient():
    weight = keras.Variable(np.ones(2, "f4"))
    arguments = check_arguments(OPTIMIZERS["adamw"], {"weight_decay": 0.5}, "adamw")
    optimizer = OPTIMIZERS["adamw"](keras.optimizers, 0.1, **arguments)
    optimizer.build([weight])
    optimizer.apply([tf.zeros(2)])
    assert weight.numpy() == pytest.approx(1 - 0.1 * 0.5)
