"""Learning-rate schedules: how the rate runs from the first training step to the last.

Each is a function `(schedules, learning_rate, steps, epochs, *, arguments)`: `schedules` is
`keras.optimizers.schedules`, `learning_rate` the setting, `steps` the optimizer's steps an epoch.
It returns a number or a Keras schedule over steps.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from stages.registry import register

SCHEDULES: dict[str, Callable] = {}
schedule = register(SCHEDULES)


@schedule
def constant(schedules, learning_rate, steps, epochs):
    """Stay at the learning rate; the only schedule that `reduce_on_plateau` can change."""
    return learning_rate


@schedule
def exponential(
    schedules, learning_rate, steps, epochs, *, rate: Annotated[float, Field(gt=0, le=1)] = 0.95
):
    """Multiply by `rate` from epoch to epoch, in a stair."""
    return schedules.ExponentialDecay(learning_rate, steps, rate, staircase=True)


@schedule
def cosine(
    schedules, learning_rate, steps, epochs, *, warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
):
    """Fall to zero along half a cosine, after a linear rise over a part `warmup` of the steps."""
    rising = round(steps * epochs * warmup)
    if not rising:
        return schedules.CosineDecay(learning_rate, steps * epochs)
    return schedules.CosineDecay(
        0.0, steps * epochs - rising, warmup_target=learning_rate, warmup_steps=rising
    )
