"""Ensembles: average the models of other variants into one, without training."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.engine import fold_store, fold_tasks, workers
from stages.files import read_json
from stages.settings.sections import Parallel
from stages.training import combine
from stages.training.export import average
from stages.training.recipe import Recipe

RESULTS = Path("results")


class Member(NamedTuple):
    """The results of one variant that an ensemble needs."""

    variant: str
    probability: np.ndarray  # float32 (repeats, n, classes), out-of-fold
    model: bytes  # the content of its model file
    parameters: int  # number of parameters of one fold model


def missing(
    recipes: Mapping[str, Recipe], arrays: fold_tasks.Arrays
) -> dict[str, list[fold_tasks.FoldTask]]:
    """Return fingerprint -> folds of the members without results.

    Args:
        recipes: fingerprint -> recipe, one per member.
        arrays: the training data.
    """
    return {
        fingerprint: fold_tasks.variant_tasks(fingerprint, recipe, arrays)
        for fingerprint, recipe in recipes.items()
        if _from_results(recipe.variant, fingerprint) is None
    }


def members(
    recipes: Mapping[str, Recipe], arrays: fold_tasks.Arrays, parallel: Parallel
) -> list[Member]:
    """Return the members, in order.

    Result files with a member's fingerprint are used as they are. For the other members the folds
    are loaded from the fold store, and those missing there are trained.

    Args:
        recipes: fingerprint -> recipe, one per member.
        arrays: the training data.
        parallel: where to train, and how many folds at a time.
    """
    # Read all results first: training takes long, and they may be deleted meanwhile.
    members = {key: _from_results(recipe.variant, key) for key, recipe in recipes.items()}
    planned = {
        key: fold_tasks.variant_tasks(key, recipe, arrays)
        for key, recipe in recipes.items()
        if not members[key]
    }
    fold_tasks.run_folds([task for tasks in planned.values() for task in tasks], arrays, parallel)
    for key, tasks in planned.items():
        recipe, records = recipes[key], fold_tasks.records(tasks)
        members[key] = Member(
            recipe.variant,
            fold_tasks.out_of_fold(records, arrays),
            fold_tasks.model(key, recipe, arrays, parallel, records),
            combine.parameters(records),
        )
    return list(members.values())


def _from_results(variant: str, fingerprint: str) -> Member | None:
    """Read a member from its result files; return None without files of this fingerprint."""
    folder = RESULTS / variant
    try:
        training = read_json(folder / "training.json")
        if training["fingerprint"] != fingerprint:
            return None
        with np.load(folder / "out_of_fold.npz", allow_pickle=False) as stored:
            probability = stored["oof_probability"]
        model = (folder / "model.keras").read_bytes()
        return Member(variant, probability, model, training["parameters"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def model(
    fingerprint: str,
    variant: str,
    members: Sequence[Member],
    arrays: fold_tasks.Arrays,
    parallel: Parallel,
) -> bytes:
    """Return the content of the ensemble's model file.

    Raises:
        UserError: when a member has a different input shape or number of classes.
    """
    stored = fold_store.load_model(fingerprint)
    if stored is not None:
        return stored
    models = {member.variant: member.model for member in members}
    task = (variant, arrays.images.shape[1:], arrays.classes, models)
    ((_, content),) = workers.run(average, [task], parallel.local_jobs)
    fold_store.save_model(fingerprint, content)
    return content
