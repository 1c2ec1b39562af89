import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.settings.registry import check_arguments
from stages.training.optimizers import OPTIMIZERS

each = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


def made(name, learning_rate=0.1, given=None, **shared):
    arguments = check_arguments(OPTIMIZERS[name], given or {}, name)
    optimizer = OPTIMIZERS[name](
        keras.optimizers, learning_rate=learning_rate, **shared, **arguments
    )
    assert all(getattr(optimizer, key) == value for key, value in arguments.items())
    return optimizer


@each
def test_every_optimizer_is_keras_own_with_what_all_share(name):
    shared = {"global_clipnorm": 2.0, "use_ema": True, "ema_momentum": 0.5}
    optimizer = made(name, 0.25, **shared)
    assert type(optimizer).__name__.lower() == name
    assert float(optimizer.learning_rate) == 0.25
    assert {key: getattr(optimizer, key) for key in shared} == shared


@each
def test_a_step_in_the_compiled_loop_moves_every_weight(name):
    kernel, bias = keras.Variable(np.eye(3, 4, dtype="f4")), keras.Variable(np.ones(4, "f4"))
    optimizer = made(name)
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
    optimizer = made("adamw", given={"weight_decay": 0.5})
    optimizer.build([weight])
    optimizer.apply([tf.zeros(2)])
    assert weight.numpy() == pytest.approx(1 - 0.1 * 0.5)
