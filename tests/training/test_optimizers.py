import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.settings.registry import check_arguments
from stages.training.optimizers import OPTIMIZERS

each = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


@each
def test_every_optimizer_is_keras_own_with_its_arguments(name):
    arguments = check_arguments(OPTIMIZERS[name], {}, name)
    own = {key: 0.5 for key, value in arguments.items() if isinstance(value, float)}  # no default
    given = own | {"learning_rate": 0.25, "global_clipnorm": 2.0, "use_ema": True}
    optimizer = OPTIMIZERS[name](keras.optimizers, **arguments | given)
    assert type(optimizer).__name__.lower() == name
    assert {key: getattr(optimizer, key) for key in given} == given


@each
def test_a_step_in_the_compiled_loop_moves_every_weight(name):
    kernel, bias = keras.Variable(np.eye(3, 4, dtype="f4")), keras.Variable(np.ones(4, "f4"))
    arguments = check_arguments(OPTIMIZERS[name], {}, name)
    optimizer = OPTIMIZERS[name](keras.optimizers, learning_rate=0.1, **arguments)
    optimizer.build([kernel, bias])

    @tf.function
    def step():
        for _ in tf.range(2):
            optimizer.apply([tf.ones((3, 4)), tf.ones(4)])

    step()
    assert (kernel.numpy() < np.eye(3, 4)).all()
    assert (bias.numpy() < 1).all()
