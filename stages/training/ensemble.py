"""An ensemble: the models of other variants averaged into one, without training."""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.files import read_json
from stages.sections import Parallel
from stages.training import plan, recovery, workers
from stages.training.artifact import average
from stages.training.epoch import loss_and_accuracy
from stages.training.fold import Record
from stages.training.recipe import Recipe

RESULTS = Path("results")


class Member(NamedTuple):
    """What an ensemble takes of one variant."""

    variant: str
    probability: np.ndarray  # float32 (repeats, n, classes), out of fold
    model: bytes  # the content of its model file
    parameters: int  # of one of its fold models


def fingerprint(variant: str, marks: Iterable[str]) -> str:
    """Return the SHA-256, in hexadecimal, of an ensemble's name and its members' fingerprints."""
    return hashlib.sha256(json.dumps([variant, *marks]).encode()).hexdigest()


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
    planned = missing(recipes, arrays)
    plan.finish([unit for units in planned.values() for unit in units], arrays, parallel)
    found = []
    for mark, recipe in recipes.items():
        if mark not in planned:
            member = _of_results(recipe.variant, mark)
        else:
            records = plan.records(planned[mark])
            member = Member(
                recipe.variant,
                plan.out_of_fold(records, arrays),
                plan.model(mark, recipe, arrays, parallel, records),
                plan.parameters(records),
            )
        found.append(member)
    return found


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


def records(members: Sequence[Member], arrays: plan.Arrays) -> list[Record]:
    """Return the ensemble's folds: on each, the mean of the probabilities of the members' models.

    No model of a fold has seen the images that it scores, so neither has their mean. There is no
    epoch: the history's one row holds validation scores only.
    """
    mean = np.mean([member.probability for member in members], axis=0, dtype=np.float64)
    found = []
    for probability, assigned in zip(mean.astype(np.float32), arrays.folds, strict=True):
        for fold in range(int(arrays.folds.max()) + 1):
            (validation,) = np.nonzero(assigned == fold)
            loss, accuracy = loss_and_accuracy(probability[validation], arrays.labels[validation])
            found.append(
                Record(
                    history=np.array([[np.nan, np.nan, loss, accuracy, np.nan]]),
                    times=np.zeros((0, 2)),
                    best_epoch=np.array(0),
                    validation=validation,
                    probability=probability[validation],
                    train_images=np.array(len(assigned) - len(validation)),
                    weights=[],
                )
            )
    return found


def model(
    mark: str, variant: str, members: Sequence[Member], arrays: plan.Arrays, parallel: Parallel
) -> bytes:
    """Return the content of the ensemble's model file.

    Raises:
        UserError: when a member's model takes other images or knows other classes.
    """
    kept = recovery.kept_model(mark)
    if kept is not None:
        return kept
    models = {member.variant: member.model for member in members}
    task = (variant, arrays.images.shape[1:], arrays.classes, models)
    ((_, content),) = workers.run(average, [task], parallel.local_jobs)
    recovery.keep_model(mark, content)
    return content
