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

Warmup = Annotated[float, Field(ge=0, lt=1)]  # the part of all steps that the rise takes


@schedule
def constant(schedules, learning_rate, steps, epochs, *, warmup: Warmup = 0.0):
    """Stay at the learning rate, after a linear rise over a part `warmup` of the steps.

    Without a rise it is the only schedule that `reduce_on_plateau` can change.
    """
    rising = round(steps * epochs * warmup)
    return _rise(schedules, learning_rate, rising) if rising else learning_rate


@schedule
def exponential(
    schedules,
    learning_rate,
    steps,
    epochs,
    *,
    rate: Annotated[float, Field(gt=0, le=1)] = 0.95,
    warmup: Warmup = 0.0,
):
    """Multiply by `rate` from epoch to epoch, in a stair; a linear rise is a factor on it.

    The rise goes over a part `warmup` of the steps, and the stair falls beneath it as ever, so
    that the rates after it are the same as without.
    """
    stair = schedules.ExponentialDecay(learning_rate, steps, rate, staircase=True)
    rising = round(steps * epochs * warmup)
    if not rising:
        return stair
    part = _rise(schedules, 1.0, rising)

    class Rising(schedules.LearningRateSchedule):  # Keras has no schedule made of two
        def __call__(self, step):
            return part(step) * stair(step)

    return Rising()


@schedule
def cosine(schedules, learning_rate, steps, epochs, *, warmup: Warmup = 0.0):
    """Fall to zero along half a cosine, after a linear rise over a part `warmup` of the steps."""
    total = steps * epochs
    rising = min(round(total * warmup), total - 1)  # a fall over no step is none
    if not rising:
        return schedules.CosineDecay(learning_rate, total)
    return schedules.CosineDecay(
        0.0, total - rising, warmup_target=learning_rate, warmup_steps=rising
    )


@schedule
def onecycle(
    schedules,
    learning_rate,
    steps,
    epochs,
    *,
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3,
    start_divisor: Annotated[float, Field(ge=1, le=1e9)] = 25.0,
    end_divisor: Annotated[float, Field(ge=1, le=1e9)] = 10000.0,
):
    """Rise in a line to the learning rate, then fall along half a cosine, each batch a step.

    After Smith and Topin, "Super-convergence" (2018), as PyTorch's `OneCycleLR` has it, with its
    default arguments: the first step is at the rate over `start_divisor`, the last one at that
    over `end_divisor` once more (`initial_lr` and `min_lr` there), and the rise ends with a part
    `warmup` of all steps. PyTorch rises along a cosine, and turns the momentum, which stays here.
    """
    last = steps * epochs - 1
    rising = min(max(round(steps * epochs * warmup) - 1, 1), max(last - 1, 1))
    return schedules.CosineDecay(
        learning_rate / start_divisor,
        max(last - rising, 1),
        alpha=1 / (start_divisor * end_divisor),
        warmup_target=learning_rate,
        warmup_steps=rising,
    )


def _rise(schedules, top, steps):
    """Return the schedule that rises from zero to `top` in a line over `steps` and stays there."""
    return schedules.PolynomialDecay(0.0, steps, end_learning_rate=top, power=1.0)
