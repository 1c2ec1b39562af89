"""How long new settings take to train on this machine, from a few steps of their networks."""

import time
from collections.abc import Iterable

import numpy as np

from stages.commands.new_settings import BATCH, PRETRAINED
from stages.data.look import Look
from stages.engine import backbones, resolve
from stages.settings import params
from stages.training.features import features
from stages.training.fold import train_fold

SCORING = 0.1  # of an epoch's time: docs/experiments.md, 2026-11-29
PROBED, NETWORKS = "cnn_augmented", 2  # the row that is timed; how many rows take about as long


def minutes(found: Look, names: Iterable[str], shape: tuple[int, int, int], shrink: int) -> float:
    """Return about how many minutes the training of these rows takes here.

    `shape` is (height, width, channels) of the prepared images, which small networks shrink.
    """
    height, width, channels = shape
    training = round(sum(found.train) * (1.0 if any(found.test) else 0.8))
    total = network_minutes(training, (height // shrink, width // shrink, channels))
    for name in PRETRAINED.keys() & set(names):
        total += features_minutes(name, sum(found.train) + sum(found.test), shape)
    return total


def network_minutes(images: int, shape: tuple[int, int, int]) -> float:
    """Return about how many minutes the networks take here, from a few steps of one of them."""
    settings = params.load()
    recipe = resolve.recipe(settings, PROBED)
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 2})})
    few = np.zeros((4 * BATCH, *shape), np.uint8)
    labels = np.arange(len(few)) % 2
    seconds = float(train_fold(few, labels, None, 2, recipe, "probe").times[-1, 1])
    folds = settings.folds.count * settings.folds.repeats
    share = 1 - 1 / settings.folds.count + SCORING
    epochs = settings.train.epochs * folds * share * NETWORKS
    return seconds / len(few) * images * epochs / 60


def features_minutes(name: str, images: int, shape: tuple[int, int, int]) -> float:
    """Return about how many minutes a pretrained network takes for all images.

    A second pass over a few images is timed, since the first also builds the network.
    """
    recipe = resolve.recipe(params.load(), name)
    weights, few = backbones.weights(recipe), np.zeros((BATCH, *shape), np.uint8)
    for _ in range(2):
        began = time.perf_counter()
        features(few, recipe, weights)
        seconds = time.perf_counter() - began
    return seconds / len(few) * images / 60
