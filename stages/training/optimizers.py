"""Optimizers: functions `(keras.optimizers, learning_rate, *, arguments, **shared)`.

`shared` are arguments common to all Keras optimizers: clipping and averaging, set in `train`.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from stages.settings.registry import register

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
    **shared,
):
    """Adam (Kingma and Ba 2015), with Keras' defaults."""
    return optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **shared)


@optimizer
def adamw(
    optimizers,
    learning_rate,
    *,
    weight_decay: Decay = 0.004,
    beta_1: Decay = 0.9,
    beta_2: Decay = 0.999,
    epsilon: Epsilon = 1e-7,
    **shared,
):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), with Keras' defaults."""
    return optimizers.AdamW(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        **shared,
    )


@optimizer
def muon(
    optimizers, learning_rate, *, weight_decay: Decay = 0.004, momentum: Decay = 0.95, **shared
):
    """Muon (Jordan 2024; Liu et al. 2025), with Keras' defaults.

    Keras orthogonalizes the updates of all dense kernels, including the last layer's. It updates
    everything else, including convolutions, by AdamW.
    """
    return optimizers.Muon(
        learning_rate,
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        momentum=momentum,
        **shared,
    )


@optimizer
def rmsprop(optimizers, learning_rate, *, rho: Decay = 0.9, epsilon: Epsilon = 1e-7, **shared):
    """RMSprop (Tieleman and Hinton 2012), with Keras' defaults."""
    return optimizers.RMSprop(learning_rate, rho=rho, epsilon=epsilon, **shared)


@optimizer
def sgd(optimizers, learning_rate, *, momentum: Decay = 0.9, nesterov: bool = True, **shared):
    """Stochastic gradient descent, by default with Nesterov momentum."""
    return optimizers.SGD(learning_rate, momentum=momentum, nesterov=nesterov, **shared)
