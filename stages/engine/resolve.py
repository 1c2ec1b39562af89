"""From rows of params.yaml to resolved settings: base and row merged, every name checked.

It needs neither Keras nor TensorFlow, so a misspelt name costs milliseconds.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from stages.augment import OPS
from stages.engine import hardware, saved_model
from stages.errors import UserError
from stages.models import ARCHITECTURES
from stages.params import Params
from stages.registry import check_arguments, lookup
from stages.sections import Named
from stages.training.optimizers import OPTIMIZERS
from stages.training.recipe import Recipe
from stages.training.schedules import SCHEDULES


def recipe(params: Params, variant: str) -> Recipe:
    """Resolve one row of `variants`: base and overrides merged, names known, arguments complete.

    Raises:
        UserError: for an unknown variant or name, or an argument that is not allowed.
    """
    row = params.variant(variant)
    train = params.train_settings(variant)
    where = f"variants.{variant}"
    if train.reduce_on_plateau and train.schedule.name != "constant":
        raise UserError(
            f"{where} has reduce_on_plateau and the schedule {train.schedule.name!r}, which would "
            "both set the learning rate; set one of them to null or constant."
        )
    if train.reduce_on_plateau and train.schedule.arguments.get("warmup"):
        raise UserError(
            f"{where} has reduce_on_plateau and a schedule with a warmup, which would both set the "
            "learning rate; set reduce_on_plateau to null or remove the warmup."
        )
    if train.reduce_on_plateau and train.final == "refit":
        raise UserError(
            f"{where} has reduce_on_plateau and final: refit, which has no validation images that "
            "show a plateau; choose another final, or a schedule in its place."
        )
    return Recipe(
        variant=variant,
        architecture=_resolve(
            "architecture", ARCHITECTURES, row.architecture, f"{where}.architecture"
        ),
        augmentation=[
            _resolve("augmentation op", OPS, op, f"{where}.augmentation[{position}]")
            for position, op in enumerate(row.augmentation)
        ],
        train=train.model_copy(
            update={
                "precision": hardware.resolve(train.precision),
                "optimizer": _resolve(
                    "optimizer", OPTIMIZERS, train.optimizer, f"{where}.train.optimizer"
                ),
                "schedule": _resolve(
                    "schedule", SCHEDULES, train.schedule, f"{where}.train.schedule"
                ),
            }
        ),
    )


def recipes(params: Params, variant: str) -> list[Recipe]:
    """Resolve what a variant's model is trained by: its own row, or those of its ensemble.

    Raises:
        UserError: as `recipe`.
    """
    return [recipe(params, name) for name in params.variant(variant).ensemble or [variant]]


def check(params: Params) -> None:
    """Refuse params.yaml when any of its variants names what does not exist.

    Raises:
        UserError: for the first such name or argument.
    """
    for variant in params.variants:
        recipes(params, variant)


def check_data(recipe: Recipe, dataset: Mapping, prepared: Path) -> None:
    """Refuse a recipe that makes no sense for the prepared data.

    Args:
        recipe: the variant's settings.
        dataset: the content of dataset.json.
        prepared: the folder of it and of the images.

    Raises:
        UserError: when digits would be flipped; a 2 in the mirror is no digit. When a saved
            model does not fit; see `saved_model.check`.
    """
    saved_model.check(recipe.variant, recipe.architecture, dataset, prepared)
    digits = list(dataset["classes"]) == [str(digit) for digit in range(10)]
    for position, op in enumerate(recipe.augmentation):
        if digits and op.name == "flip" and not op.arguments["force"]:
            raise UserError(
                f"variants.{recipe.variant}.augmentation[{position}] is flip, but the images are "
                "digits, which mean nothing in a mirror; remove it, or give it force: true."
            )


def _resolve(kind: str, table: Mapping[str, Callable], named: Named, where: str) -> Named:
    function = lookup(kind, table, named.name, where)
    arguments = check_arguments(function, named.arguments, f"{where}.{named.name}")
    return Named(name=named.name, arguments=arguments)
