"""Learning-rate schedules.

Each is a function `(schedules, learning_rate, steps, epochs, *, arguments)`: `schedules` is
`keras.optimizers.schedules`, `learning_rate` the setting, `steps` the number of steps per epoch.
It returns a number or a Keras schedule over steps.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from stages.settings.registry import register

SCHEDULES: dict[str, Callable] = {}
schedule = register(SCHEDULES)

Warmup = Annotated[float, Field(ge=0, lt=1)]  # fraction of all steps
Decay = Annotated[float, Field(gt=0, le=1)]
Divisor = Annotated[float, Field(ge=1, le=1e9)]


@schedule
def constant(schedules, learning_rate, steps, epochs, *, warmup: Warmup = 0.0):
    """Keep the rate constant after a linear warmup; without one it fits `reduce_on_plateau`."""
    warmup_steps = round(steps * epochs * warmup)
    return _rise(schedules, learning_rate, warmup_steps) if warmup_steps else learning_rate


@schedule
def exponential(
    schedules, learning_rate, steps, epochs, *, rate: Decay = 0.95, warmup: Warmup = 0.0
):
    """Multiply the rate by `rate` after each epoch, from the first.

    Over the fraction `warmup` of the steps, it is also scaled by a factor that rises from 0 to 1.
    """
    decay = schedules.ExponentialDecay(learning_rate, steps, rate, staircase=True)
    warmup_steps = round(steps * epochs * warmup)
    if not warmup_steps:
        return decay
    factor = _rise(schedules, 1.0, warmup_steps)

    class WarmupDecay(schedules.LearningRateSchedule):  # Keras cannot combine two schedules
        def __call__(self, step):
            return factor(step) * decay(step)

    return WarmupDecay()


@schedule
def cosine(schedules, learning_rate, steps, epochs, *, warmup: Warmup = 0.0):
    """Decay to zero along half a cosine, after a linear warmup over the fraction `warmup`."""
    total = steps * epochs
    warmup_steps = min(round(total * warmup), total - 1)  # leave at least one step for the decay
    if not warmup_steps:
        return schedules.CosineDecay(learning_rate, total)
    return schedules.CosineDecay(
        0.0, total - warmup_steps, warmup_target=learning_rate, warmup_steps=warmup_steps
    )


@schedule
def onecycle(
    schedules,
    learning_rate,
    steps,
    epochs,
    *,
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3,
    start_divisor: Divisor = 25.0,
    end_divisor: Divisor = 10000.0,
):
    """Rise linearly to the learning rate, then decay along half a cosine, updated every step.

    After Smith and Topin, "Super-convergence" (2018), with the default arguments of PyTorch's
    `OneCycleLR`. The first step has the rate divided by `start_divisor` (`initial_lr` in PyTorch),
    the last step has that divided by `end_divisor` (`min_lr`), and the rise takes the fraction
    `warmup` of all steps. Unlike here, PyTorch rises along a cosine and also cycles the momentum.
    """
    last = steps * epochs - 1
    warmup_steps = min(max(round(steps * epochs * warmup) - 1, 1), max(last - 1, 1))
    return schedules.CosineDecay(
        learning_rate / start_divisor,
        max(last - warmup_steps, 1),
        alpha=1 / (start_divisor * end_divisor),
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )


def _rise(schedules, top, steps):
    """Return a schedule that rises linearly from zero to `top` over `steps`, then stays there."""
    return schedules.PolynomialDecay(0.0, steps, end_learning_rate=top, power=1.0)
