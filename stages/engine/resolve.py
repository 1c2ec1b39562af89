"""Resolve rows of params.yaml into recipes: merge row and base, check every name and argument.

It imports neither Keras nor TensorFlow, so that a misspelled name is reported immediately.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from stages.augment import OPS, views
from stages.engine import backbones, hardware, saved_model, shrunk_images
from stages.errors import UserError
from stages.models import ARCHITECTURES
from stages.settings.params import Params
from stages.settings.registry import check_arguments, lookup
from stages.settings.sections import Named, Train
from stages.training.optimizers import OPTIMIZERS
from stages.training.recipe import Recipe
from stages.training.schedules import SCHEDULES

LARGE = (256, 256)  # pixels, when the size of the images is not known yet
IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0]  # an affine transformation


def recipe(params: Params, variant: str) -> Recipe:
    """Resolve one row of `variants`: merge it with the base and complete all arguments.

    Raises:
        UserError: for an unknown variant or name, an invalid argument, or conflicting settings.
    """
    row = params.variant(variant)
    train = params.train_settings(variant)
    where = f"variants.{variant}"
    _check_plateau(train, where)

    def resolve(kind: str, table: Mapping[str, Callable], named: Named, path: str) -> Named:
        is_base = path.startswith("train.") and path.removeprefix("train.") not in row.overrides
        place = path if is_base else f"{where}.{path}"
        function = lookup(kind, table, named.name, place)
        checked = check_arguments(function, named.arguments, f"{place}.{named.name}")
        return Named(name=named.name, arguments=checked)

    optimizer = resolve("optimizer", OPTIMIZERS, train.optimizer, "train.optimizer")
    schedule = resolve("schedule", SCHEDULES, train.schedule, "train.schedule")
    precision = hardware.resolve(train.precision, train.kernels)
    resolved = {"optimizer": optimizer, "schedule": schedule, "precision": precision}
    named = cast(Named, row.architecture)  # only ensembles have none
    architecture = resolve("architecture", ARCHITECTURES, named, "architecture")
    if architecture.name == "backbone":
        architecture = backbones.completed(architecture, f"{where}.architecture.backbone")
        backbones.check_views(architecture, row.augmentation, where)
    augmentation = [
        resolve("augmentation op", OPS, op, f"augmentation[{position}]")
        for position, op in enumerate(row.augmentation)
    ]
    _check_predict_views(train, augmentation, where, LARGE)
    return Recipe(
        variant=variant,
        architecture=architecture,
        augmentation=augmentation,
        train=train.model_copy(update=resolved),
        shrink=row.shrink,
    )


def _check_predict_views(
    train: Train, augmentation: list[Named], where: str, size: tuple[int, ...]
) -> None:
    """Check that a row's augmentation gives as many different views as the model averages over.

    On images of `size`, (height, width): small ones may not be moved by whole pixels at all.
    """
    moves = views.transforms(augmentation, train.predict_views, train.seed, size)
    different = len(np.unique([IDENTITY, *moves.tolist()], axis=0))
    if different < train.predict_views:
        raise UserError(
            f"{where}.train.predict_views is {train.predict_views}, but the row's augmentation "
            f"gives {different} different view{'s' * (different > 1)} with the image itself; add "
            f"one of {', '.join(views.OPS)} to it, or lower predict_views to {different}."
        )


def _check_plateau(train: Train, where: str) -> None:
    """Reject settings that conflict with reduce_on_plateau, which changes the learning rate."""
    conflicts = {
        f"the schedule {train.schedule.name!r}": train.schedule.name != "constant",
        "a schedule with warmup": train.schedule.arguments.get("warmup"),
        "final: refit, which has no validation images": train.final == "refit",
    }
    for setting, conflicts_here in conflicts.items():
        if train.reduce_on_plateau and conflicts_here:
            raise UserError(
                f"{where} has both reduce_on_plateau and {setting}, which conflict; "
                "set reduce_on_plateau to null or change the other setting."
            )


def recipes(params: Params, variant: str) -> list[Recipe]:
    """Resolve the rows that a variant's model is trained with: its own, or its members'."""
    return [recipe(params, name) for name in params.variant(variant).ensemble or [variant]]


def check(params: Params) -> None:
    """Raise UserError for a variant that cannot be resolved, or for two that cannot be compared."""
    resolved = {variant: recipes(params, variant) for variant in params.variants}
    compared = [recipe for name in params.compare.variants for recipe in resolved[name]]
    precisions = sorted({recipe.train.precision for recipe in compared})
    if len(precisions) > 1:
        raise UserError(
            f"the compared variants have train.precision {' and '.join(precisions)}, so "
            "differences could come from rounding; give all the same precision."
        )


def check_data(recipe: Recipe, dataset: Mapping, prepared: Path) -> None:
    """Check that a recipe fits the prepared data; see the functions `check` that it calls.

    Raises:
        UserError: when digits would be flipped, or `shrink`, a saved model, a backbone or
            `predict_views` does not fit.
    """
    shrunk_images.check(recipe, dataset)
    saved_model.check(recipe, dataset, prepared)
    backbones.check(recipe, dataset)
    size = recipe.image_shape(dataset["image_shape"])[:2]
    where = f"variants.{recipe.variant}"
    _check_predict_views(recipe.train, recipe.augmentation, where, size)
    check_flips(recipe, dataset["classes"])


def are_digits(classes: Sequence[str]) -> bool:
    """Return whether the classes are the digits 0 to 9."""
    return list(classes) == [str(digit) for digit in range(10)]


def check_flips(recipe: Recipe, classes: Sequence[str]) -> None:
    """Raise UserError if the recipe would mirror digits."""
    for position, op in enumerate(recipe.augmentation):
        if are_digits(classes) and op.name == "flip" and not op.arguments["force"]:
            raise UserError(
                f"variants.{recipe.variant}.augmentation[{position}] is flip, but classes 0 to 9 "
                "are taken for digits, which must not be mirrored; remove it, or set force: true."
            )
