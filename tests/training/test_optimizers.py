import keras
import pytest

from stages.params import Named
from stages.registry import check_arguments
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
