"""Optimizers: functions `(keras.optimizers, *, arguments, **shared)`.

`shared` are arguments common to all Keras optimizers, set in `train`: learning rate, clipping and
averaging. Defaults are those of Keras, except for momentum in `sgd`.
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
    optimizers, *, beta_1: Decay = 0.9, beta_2: Decay = 0.999, epsilon: Epsilon = 1e-7, **shared
):
    """Adam (Kingma and Ba 2015)."""
    return optimizers.Adam(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **shared)


@optimizer
def adamw(
    optimizers,
    *,
    weight_decay: Decay = 0.004,
    beta_1: Decay = 0.9,
    beta_2: Decay = 0.999,
    epsilon: Epsilon = 1e-7,
    **shared,
):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    return optimizers.AdamW(
        weight_decay=weight_decay, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **shared
    )


@optimizer
def muon(optimizers, *, weight_decay: Decay = 0.004, momentum: Decay = 0.95, **shared):
    """Muon (Jordan 2024; Liu et al. 2025).

    Keras orthogonalizes the updates of all dense kernels, including the last layer's. It updates
    everything else, including convolutions, by AdamW.
    """
    return optimizers.Muon(
        weight_decay=weight_decay, adam_weight_decay=weight_decay, momentum=momentum, **shared
    )


@optimizer
def rmsprop(optimizers, *, rho: Decay = 0.9, epsilon: Epsilon = 1e-7, **shared):
    """RMSprop (Tieleman and Hinton 2012)."""
    return optimizers.RMSprop(rho=rho, epsilon=epsilon, **shared)


@optimizer
def sgd(optimizers, *, momentum: Decay = 0.9, nesterov: bool = True, **shared):
    """Stochastic gradient descent, by default with Nesterov momentum."""
    return optimizers.SGD(momentum=momentum, nesterov=nesterov, **shared)
