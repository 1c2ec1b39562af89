"""Fine-tune a pretrained backbone: train its head alone, then both together at a lower rate."""

from collections.abc import Callable, Sequence

import numpy as np

from stages.settings.sections import Named
from stages.training.fold import FoldResult, train_fold
from stages.training.recipe import Recipe


def fine_tune(
    features: np.ndarray,
    backbone: Sequence[np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray | None,
    classes: int,
    recipe: Recipe,
    fold: int | str,
    on_epoch: Callable[[int, float], None] | None = None,
) -> FoldResult:
    """Train one fold of a backbone that is not frozen; return the second result.

    Both training runs use `recipe.train`, except for the learning rate of the second.
    Only the second one augments.

    Args:
        features: float32 (n, 1, d), those of the pretrained backbone.
        backbone: its weights in Keras' order.
        images, labels, folds, classes, recipe, fold, on_epoch: as in `train_fold`.

    Raises:
        UntrainableError: as `train_fold`.
    """
    arguments = recipe.architecture.arguments
    frozen = Named(name=recipe.architecture.name, arguments=arguments | {"freeze": "all"})
    once = recipe.train.model_copy(update={"predict_views": 1})
    alone = recipe.model_copy(update={"architecture": frozen, "augmentation": [], "train": once})
    head = train_fold(features, labels, folds, classes, alone, fold).weights
    rate = recipe.train.learning_rate * arguments["rate"]
    slower = recipe.train.model_copy(update={"learning_rate": rate})
    both = recipe.model_copy(update={"train": slower})
    initial = [*backbone, *head]
    return train_fold(images, labels, folds, classes, both, fold, on_epoch, initial)
