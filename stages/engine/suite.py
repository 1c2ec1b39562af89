"""Cross-validate variants on one of several data sets, only to get their fold scores.

No model is built and no test image is read. Finished folds are in the fold store, and scores in the
working folder, one file for each fingerprint and way of scoring, so that they outlast the folds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages import files
from stages.engine import final_model, fold_store, fold_tasks, identity
from stages.engine.environment import versions
from stages.engine.variants import Plan, plan
from stages.errors import UserError
from stages.settings.params import Params
from stages.statistics.metrics import METRICS
from stages.statistics.scores import SCORES, of_folds
from stages.training import combine
from stages.training.recipe import Recipe

FOLDER = Path("scores")
SCORING = "statistics/scores.py"  # not covered by fingerprints


def plans(settings: Params, dataset: dict[str, Any]) -> list[Plan]:
    """Return the plans of the compared variants; UserError when one does not fit the data."""
    return [plan(settings, name, dataset) for name in settings.compare.variants]


def try_networks(planned: Sequence[Plan], dataset: dict[str, Any], settings: Params) -> None:
    """Build each network that is not scored yet, and discard it.

    Raises:
        UntrainableError: when one cannot be built for these images.
    """
    arrays = fold_tasks.read_training_data(dataset)
    fold_tasks.try_networks(_unscored(planned).values(), arrays, settings.parallel)


def scores(
    planned: Sequence[Plan], dataset: dict[str, Any], settings: Params
) -> dict[str, np.ndarray]:
    """Train what is missing; return variant -> float (n,), the score of each fold by the metric.

    Raises:
        UserError: when a fold cannot be trained, or a score is not a number.
    """
    if unscored := _unscored(planned):
        arrays = fold_tasks.read_training_data(dataset)
        tasks = {
            key: fold_tasks.variant_tasks(key, recipe, arrays) for key, recipe in unscored.items()
        }
        every = [task for own in tasks.values() for task in own]
        fold_tasks.run_folds(every, arrays, settings.parallel)
        for one in planned:
            if not _path(one).exists():
                own = {key: tasks[key] for key in one.recipes}
                files.write_table(_path(one), ("fold", *SCORES), _rows(one, own, arrays))
        fold_store.mark_complete(tasks)
    metric, found = settings.compare.metric, {}
    for one in planned:
        rows = files.read_table(_path(one), ("fold", *METRICS))
        found[one.variant] = np.array([float(row[metric]) for row in rows])
        if not np.isfinite(found[one.variant]).all():
            raise UserError(
                f"variant {one.variant!r} has a fold whose {METRICS[metric].label} is not a "
                "number, so it cannot be compared; use another compare.metric or folds.seed."
            )
    return found


def _unscored(planned: Sequence[Plan]) -> dict[str, Recipe]:
    """Return fingerprint -> recipe of all rows that plans without scores are trained with."""
    missing = (one.recipes for one in planned if not _path(one).exists())
    return {key: recipe for recipes in missing for key, recipe in recipes.items()}


def _path(planned: Plan) -> Path:
    code = files.sha256(Path(__file__).parents[1] / SCORING)
    key = identity.digest([planned.fingerprint, code, versions(["scikit-learn"])])
    return FOLDER / f"{key}.csv"


def _rows(
    planned: Plan, tasks: Mapping[str, list[fold_tasks.FoldTask]], arrays: fold_tasks.Arrays
) -> list[tuple]:
    """Return number and scores of each fold, the same that `train` and `evaluate` write."""
    probabilities = []
    for key, own in tasks.items():
        records = fold_tasks.records(own)
        probabilities.append(final_model.calibration(records, planned.recipes[key], arrays)[1])
    if planned.is_ensemble:
        records = combine.averaged(probabilities, arrays.folds, arrays.labels)
        probabilities = [combine.out_of_fold(records, arrays.folds, arrays.classes)]
    found = of_folds(probabilities[0], arrays.labels, arrays.folds)
    accuracy = [record.at_best_epoch("val_accuracy") for record in records]
    return [
        (fold, *(one | {"accuracy": exact}).values())
        for fold, (one, exact) in enumerate(zip(found, accuracy, strict=True))
    ]
