"""No settings are tried twice; a search ends when all have been tried."""

import math

import optuna
import pytest

from stages.search import draw
from tests import prepared

FINITE = {
    "train.batch_size": {"choices": [32, 64, 128]},
    "train.epochs": {"low": 2, "high": 8, "step": 2},
}
SAME = {"train.learning_rate": {"low": 0.1, "high": 0.1000001}}  # equal after rounding


def parsed(space):
    return prepared.parse(search={"space": space})


def drawn(settings, count):
    """Return the settings of `count` trials, all complete with scores that favour one choice."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study, found = optuna.create_study(direction="maximize"), []
    for number in range(count):
        trial = draw.draw(study, settings, number, {draw.key(values) for values in found})
        found.append(draw.space.values(settings.search.space, trial.params))
        study.tell(trial, float(found[-1].get("train.batch_size", 0) == 64))
    return found


def test_the_size_of_a_space():
    ranges = parsed(FINITE).search.space
    assert draw.size(ranges) == 12
    assert draw.size(ranges | parsed(SAME).search.space) == math.inf


def test_a_finite_space_is_drawn_whole_and_always_in_the_same_order():
    settings = parsed(FINITE)
    found = drawn(settings, 12)
    assert len({draw.key(values) for values in found}) == 12
    assert drawn(settings, 12) == found


@pytest.mark.parametrize("count", [2, 4])
def test_real_numbers_that_round_alike_end_no_search(count):
    assert drawn(parsed(SAME), count) == [{"train.learning_rate": 0.1}] * count
