"""Optimizers: each a function `(keras.optimizers, learning_rate, *, arguments)`."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from stages.registry import register

OPTIMIZERS: dict[str, Callable] = {}
optimizer = register(OPTIMIZERS)

Decay = Annotated[float, Field(ge=0, lt=1)]
Epsilon = Annotated[float, Field(gt=0, le=1)]


@optimizer
def adam(
    optimizers,
    learning_rate,
    *,
    beta_1: Decay = 0.9,
    beta_2: Decay = 0.999,
    epsilon: Epsilon = 1e-7,
):
    """Adam (Kingma and Ba 2015), with Keras' defaults."""
    return optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


@optimizer
def rmsprop(optimizers, learning_rate, *, rho: Decay = 0.9, epsilon: Epsilon = 1e-7):
    """RMSprop (Tieleman and Hinton 2012), with Keras' defaults."""
    return optimizers.RMSprop(learning_rate, rho=rho, epsilon=epsilon)


@optimizer
def sgd(optimizers, learning_rate, *, momentum: Decay = 0.9, nesterov: bool = True):
    """Stochastic gradient descent, by default with Nesterov momentum."""
    return optimizers.SGD(learning_rate, momentum=momentum, nesterov=nesterov)
