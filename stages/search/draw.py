"""Draw the settings of a search's next trial by Optuna's sampler, but no settings a second time."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from stages.search import space
from stages.settings.params import Params
from stages.settings.sections import Range
from stages.training.fold import derive_seed

STARTUP = 5  # random trials before the sampler learns, and complete ones before any pruning
ATTEMPTS = 10  # of the sampler, which may propose the best settings again and again


def key(values: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same settings."""
    return json.dumps(values, sort_keys=True)


def size(ranges: Mapping[str, Range]) -> float:
    """Return how many settings a search space has, infinity with a range of real numbers."""
    return math.prod(len(_every(one)) or math.inf for one in space.distributions(ranges).values())


def _every(distribution: BaseDistribution) -> Sequence[Any]:
    """Return all values of a distribution; none of real numbers, which are too many."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    return ()


def draw(
    study: optuna.Study, settings: Params, number: int, tried: Collection[str]
) -> optuna.Trial:
    """Return the trial `number` with new settings; `tried` has the keys of all earlier ones.

    The first trial is the row itself if its values lie in the space. The space must have settings
    that were not tried. If the sampler does not propose any, they are drawn at random; only real
    numbers that are equal after rounding may come again.
    """
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if number == 0 and not waiting and (own := space.own_values(settings)):
        study.enqueue_trial(own)  # the unchanged row, for comparison
    ranges = settings.search.space
    distributions = space.distributions(ranges)
    is_finite = math.isfinite(size(ranges))
    for attempt in range(ATTEMPTS):
        parts = (number, attempt) if attempt else (number,)
        seed = derive_seed(settings.search.seed, *parts)
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
        trial = study.ask(distributions)
        is_last = attempt == ATTEMPTS - 1
        if key(space.values(ranges, trial.params)) not in tried or (is_last and not is_finite):
            return trial
        study.tell(trial, state=TrialState.FAIL)  # without a reason, so it does not count
    random = np.random.default_rng(derive_seed(settings.search.seed, number, "random"))
    while True:
        every = {path: _every(one) for path, one in distributions.items()}
        drawn = {path: values[int(random.integers(len(values)))] for path, values in every.items()}
        if key(space.values(ranges, drawn)) not in tried:
            study.enqueue_trial(drawn)
            return study.ask(distributions)
