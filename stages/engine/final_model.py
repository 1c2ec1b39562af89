"""Build a variant's model file from its finished folds."""

from collections.abc import Sequence

import numpy as np

from stages.engine import backbones, fold_store, saved_model, workers
from stages.engine.fold_tasks import Arrays, FoldTask, records, run_folds
from stages.settings.sections import Parallel
from stages.training import combine, temperature
from stages.training.export import assemble
from stages.training.fold import FoldResult
from stages.training.recipe import Recipe


def calibration(
    folds: Sequence[FoldResult], recipe: Recipe, arrays: Arrays
) -> tuple[float, np.ndarray]:
    """Return the temperature of a variant's model, and the scaled out-of-fold probabilities."""
    raw = combine.out_of_fold(folds, arrays.folds, arrays.classes)
    return temperature.calibration(raw, arrays.folds, arrays.labels, recipe.train)


def model(tasks: Sequence[FoldTask], arrays: Arrays, parallel: Parallel) -> bytes:
    """Return the content of a variant's model file, built from its folds as `train.final` says."""
    fingerprint, recipe = tasks[0].fingerprint, tasks[0].recipe

    def build() -> bytes:
        folds = members = records(tasks)
        value, _ = calibration(folds, recipe, arrays)
        if recipe.train.final == "refit":
            shorter = recipe.train.model_copy(update={"epochs": combine.refit_epochs(folds)})
            refit = FoldTask(fingerprint, recipe.model_copy(update={"train": shorter}), "refit")
            run_folds([refit], arrays, parallel)
            members = records([refit])
        elif recipe.train.final == "best_fold":
            members = [combine.best_fold(folds)]
        complete = saved_model.attached(recipe)
        listed = saved_model.listed(complete.architecture, arrays.images)
        weights = [record.weights for record in members]
        frozen = backbones.weights(recipe) if backbones.is_frozen(recipe) else None
        task = (complete, arrays.images.shape[1:], arrays.classes, weights, listed, frozen, value)
        ((_, content),) = workers.run(assemble, [task], parallel.local_jobs)
        return content

    return fold_store.model(fingerprint, build)
