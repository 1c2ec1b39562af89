"""Searches whose folds are not trained: a function of recipe and fold gives their accuracy."""

import os
import time
from pathlib import Path

import numpy as np

from stages.engine import fold_tasks
from stages.files import read_json
from stages.search import study
from stages.training.fold import UntrainableError, derive_seed
from tests import prepared

TRIALS = 12
SPACE = {
    "train.learning_rate": {"low": 0.0001, "high": 1.0, "log": True},
    "train.batch_size": {"choices": [8, 16, 32]},
    "architecture.dropout": {"low": 0.1, "high": 0.9},
}


def accuracy(recipe, fold):
    """Return an accuracy that peaks at a learning rate of 0.01 and depends on the fold."""
    noise = derive_seed(recipe.model_dump_json(), fold) / 2**31
    return 0.9 - 0.05 * abs(np.log10(recipe.train.learning_rate) + 2) - 0.01 * fold + 0.004 * noise


def made_fold(images, labels, folds, classes, recipe, fold, on_epoch=None):
    if recipe.train.learning_rate > 0.5 and fold == 1:
        raise UntrainableError(f"{recipe.variant} fold 1 diverged; lower train.learning_rate.")
    time.sleep(float(os.environ.get("SECONDS_A_FOLD", "0")))
    return prepared.record([accuracy(recipe, fold)], 1)


def settings(jobs=1, **search):
    return prepared.parse(parallel={"jobs": jobs}, search={"space": SPACE} | search)


def searched(chosen, trials):
    dataset = read_json(Path("data/prepared/dataset.json"))
    arrays = fold_tasks.read_training_data(dataset)
    with study.opened(chosen, dataset["sha256"]) as opened:
        list(study.run(opened, chosen, trials, dataset, arrays))
        return [trial._replace(start=0, end=0) for trial in study.finished(opened, chosen)]
