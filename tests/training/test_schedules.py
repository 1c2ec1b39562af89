import math

import keras
import pytest

from stages.settings.registry import check_arguments
from stages.training.schedules import SCHEDULES


def rates(name, steps=10, epochs=4, top=0.1, **arguments):
    arguments = check_arguments(SCHEDULES[name], arguments, name)
    schedule = SCHEDULES[name](keras.optimizers.schedules, top, steps, epochs, **arguments)
    if isinstance(schedule, float):
        return [schedule] * (steps * epochs)
    return [float(schedule(step)) for step in range(steps * epochs)]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("constant", {}, [0.1] * 40),
        ("exponential", {"rate": 0.5}, [0.1 * 0.5 ** (step // 10) for step in range(40)]),
    ],
)
def test_a_warmup_rises_linearly_and_leaves_the_rest(name, arguments, expected):
    assert rates(name, **arguments) == pytest.approx(expected)
    values = rates(name, warmup=0.3, **arguments)  # 12 of 4 x 10 steps
    assert values[:12] == pytest.approx([step / 12 * expected[step] for step in range(12)])
    assert values[12:] == pytest.approx(expected[12:])


@pytest.mark.parametrize("name", ["constant", "exponential", "cosine"])
def test_a_warmup_of_less_than_half_a_step_is_none(name):
    assert rates(name, warmup=0.01) == rates(name)


def test_a_warmup_leaves_cosine_a_step_to_fall():
    assert rates("cosine", steps=1, epochs=3, warmup=0.9) == pytest.approx([0.0, 0.05, 0.1])
    assert rates("cosine", steps=1, epochs=1, warmup=0.9) == pytest.approx([0.1])


@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_cosine_rises_linearly_and_falls_to_almost_nothing(warmup):
    rise = int(40 * warmup)
    expected = [0.1 * step / rise for step in range(rise)]
    expected += [0.05 * (1 + math.cos(math.pi * s / (40 - rise))) for s in range(40 - rise)]
    assert rates("cosine", warmup=warmup) == pytest.approx(expected, abs=1e-7)


def test_onecycle_starts_peaks_and_ends_as_published():
    """The rates in PyTorch's test of OneCycleLR, test_onecycle_lr_cosine_annealing."""
    values = rates("onecycle", top=25.0, steps=10, epochs=1, end_divisor=2.0)
    fall = [0.5 + (25 - 0.5) / 2 * (math.cos(math.pi * step / 7) + 1) for step in range(1, 7)]
    assert values == pytest.approx([1, 13, 25, *fall, 0.5])


@pytest.mark.parametrize(("steps", "epochs", "warmup"), [(1, 1, 0.3), (2, 1, 0.99), (3, 1, 0.01)])
def test_onecycle_is_finite_over_the_fewest_steps(steps, epochs, warmup):
    values = rates("onecycle", steps=steps, epochs=epochs, warmup=warmup)
    assert all(0 < value <= 0.1 + 1e-6 for value in values)
