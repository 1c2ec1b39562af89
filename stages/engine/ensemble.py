"""An ensemble: the models of other variants averaged into one, without training."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.engine import fold_store, plan, workers
from stages.files import read_json
from stages.sections import Parallel
from stages.training import combine
from stages.training.artifact import average
from stages.training.recipe import Recipe

RESULTS = Path("results")


class Member(NamedTuple):
    """What an ensemble takes of one variant."""

    variant: str
    probability: np.ndarray  # float32 (repeats, n, classes), out of fold
    model: bytes  # the content of its model file
    parameters: int  # of one of its fold models


def missing(recipes: Mapping[str, Recipe], arrays: plan.Arrays) -> dict[str, list[plan.Unit]]:
    """Return fingerprint -> the folds of those members whose results are not there.

    Args:
        recipes: fingerprint -> settings, one a member.
        arrays: what the folds are trained on.
    """
    return {
        mark: plan.plan(mark, recipe, arrays)
        for mark, recipe in recipes.items()
        if _of_results(recipe.variant, mark) is None
    }


def members(recipes: Mapping[str, Recipe], arrays: plan.Arrays, parallel: Parallel) -> list[Member]:
    """Return the members, in order.

    Results of the same fingerprint are taken as they are, wherever they were trained. Without them
    the member's folds are, as in its own stage, those kept, and trained when nobody has kept them.

    Args:
        recipes: fingerprint -> settings, one a member.
        arrays: what the folds are trained on.
        parallel: where and how many at a time.
    """
    # Results are read before the training, which takes long: they may be gone after it.
    there = {own: _of_results(recipe.variant, own) for own, recipe in recipes.items()}
    planned = {
        own: plan.plan(own, recipe, arrays) for own, recipe in recipes.items() if not there[own]
    }
    plan.finish([unit for units in planned.values() for unit in units], arrays, parallel)
    for own, units in planned.items():
        recipe, records = recipes[own], plan.records(units)
        there[own] = Member(
            recipe.variant,
            plan.out_of_fold(records, arrays),
            plan.model(own, recipe, arrays, parallel, records),
            combine.parameters(records),
        )
    return list(there.values())


def _of_results(variant: str, mark: str) -> Member | None:
    """Return what a variant's result files say, or None where they are of another training."""
    folder = RESULTS / variant
    try:
        training = read_json(folder / "training.json")
        if training["fingerprint"] != mark:
            return None
        with np.load(folder / "out_of_fold.npz", allow_pickle=False) as stored:
            probability = stored["oof_probability"]
        model = (folder / "model.keras").read_bytes()
        return Member(variant, probability, model, training["parameters"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def model(
    mark: str, variant: str, members: Sequence[Member], arrays: plan.Arrays, parallel: Parallel
) -> bytes:
    """Return the content of the ensemble's model file.

    Raises:
        UserError: when a member's model takes other images or knows other classes.
    """
    kept = fold_store.load_model(mark)
    if kept is not None:
        return kept
    models = {member.variant: member.model for member in members}
    task = (variant, arrays.images.shape[1:], arrays.classes, models)
    ((_, content),) = workers.run(average, [task], parallel.local_jobs)
    fold_store.save_model(mark, content)
    return content
