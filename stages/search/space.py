"""The search space: dotted paths inside a row, their allowed values, and rows with values set."""

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from stages.engine.resolve import check_data, recipe
from stages.errors import UserError
from stages.settings.base import validate
from stages.settings.params import Params
from stages.settings.registry import lookup, register
from stages.settings.sections import Named, Range, Settings, Train, Variant
from stages.training.recipe import Recipe

DIGITS = 4  # significant digits of real numbers, to keep rows readable

PLACES: dict[str, Callable] = {}
place = register(PLACES)


def tuned_name(variant: str) -> str:
    """Return the name under which a search trains a variant; it is part of the seeds."""
    return f"{variant[:58]}_tuned"


def tuned(settings: Params, values: Mapping[str, Any]) -> Params:
    """Return the settings with one additional row: that of `search.variant` with `values` set.

    Args:
        settings: params.yaml.
        values: dotted path inside the row -> value, as in params.yaml.

    Raises:
        UserError: when the row has no such path, or the value is not allowed.
    """
    name = tuned_name(settings.search.variant)
    row = settings.variant(settings.search.variant)
    settings = _with_row(settings, name, row)
    for path in sorted(values, key=lambda path: path.count(".")):  # names before their arguments
        first, *rest = path.split(".")
        set_value = lookup("part of a row", PLACES, first, "its first part")
        row = settings.variants[name]
        changed = set_value(row, settings.train_settings(name), rest, values[path])
        row = validate(Variant, dict(row) | changed)
        settings = _with_row(settings, name, row)
    return settings


def tuned_recipe(settings: Params, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the row with `values` set; raises UserError like `recipe`."""
    return recipe(tuned(settings, values), tuned_name(settings.search.variant))


@place
def architecture(row: Variant, train: Train, rest: list[str], value: Any) -> dict:
    """Set the architecture, or an argument of the row's architecture."""
    return {"architecture": _within(row.architecture, rest, value)}


@place
def augmentation(row: Variant, train: Train, rest: list[str], value: Any) -> dict:
    """Set the list of ops, or an argument of an op that occurs once."""
    if not rest:
        return {"augmentation": value}
    places = [number for number, op in enumerate(row.augmentation) if op.name == rest[0]]
    if len(places) != 1 or len(rest) != 2:
        raise UserError(
            f"augmentation.{'.'.join(rest)} is not an argument of an op that occurs once in the "
            f"row; its ops are {', '.join(op.name for op in row.augmentation) or 'none'}."
        )
    ops: list[Any] = list(row.augmentation)
    ops[places[0]] = _within(ops[places[0]], rest[1:], value)
    return {"augmentation": ops}


@place
def train(row: Variant, train: Train, rest: list[str], value: Any) -> dict:
    """Set an override of the base `train`, or an argument of one."""
    field, *deeper = rest or [""]
    if field in Train.model_fields:  # validating the row rejects other names
        value = _within(getattr(train, field), deeper, value)
    return {"train": {**row.train, field: value}}


def _within(old: Any, rest: list[str], value: Any) -> Any:
    """Return `old`, as in params.yaml, with `value` at the path `rest` inside it."""
    if not rest:
        return value
    if len(rest) == 1 and isinstance(old, Named):
        return {old.name: {**old.arguments, rest[0]: value}}
    if len(rest) == 1 and isinstance(old, Settings):
        return {**old.model_dump(), rest[0]: value}
    raise UserError(f"{'.'.join(rest)} cannot be set, because the row has {old!r} there.")


def _with_row(settings: Params, name: str, row: Variant) -> Params:
    return settings.model_copy(update={"variants": {**settings.variants, name: row}})


def check(settings: Params, dataset: Mapping, prepared: Path) -> None:
    """Check that the limits of the space give valid rows.

    The limits of each dimension are tried separately, then in pairs with those of every other
    dimension, since an argument of one architecture may be unknown to another.

    Args:
        settings: params.yaml.
        dataset: the content of dataset.json.
        prepared: the folder that contains dataset.json and the images.

    Raises:
        UserError: for an empty space, or the first value or pair of values that is not valid.
    """
    space = settings.search.space
    if not space:
        raise UserError(
            "search.space in params.yaml is empty, so there is nothing to search; "
            "give it a setting, such as train.learning_rate: {low: 0.001, high: 0.01, log: true}."
        )
    if settings.variant(settings.search.variant).ensemble:
        raise UserError(
            f"search.variant is {settings.search.variant!r}, an ensemble, which is not trained; "
            "name a row with an architecture."
        )
    check_data(tuned_recipe(settings, {}), dataset, prepared)
    limits = {path: _limits(allowed) for path, allowed in space.items()}
    for paths in [(path,) for path in space] + list(itertools.combinations(space, 2)):
        for values in itertools.product(*(limits[path] for path in paths)):
            tried = dict(zip(paths, values, strict=True))
            try:
                check_data(tuned_recipe(settings, tried), dataset, prepared)
            except UserError as error:
                assigned = " and ".join(f"{path} = {json.dumps(v)}" for path, v in tried.items())
                name = tuned_name(settings.search.variant)
                reason = str(error).replace(f"variants.{name}.", "")
                raise UserError(f"search.space cannot have {assigned}: {reason}") from None


def architectures(settings: Params) -> list[Recipe]:
    """Return the row, and the row at each limit of each dimension of its architecture."""
    dimensions = {p: r for p, r in settings.search.space.items() if p.startswith("architecture")}
    tried = [{path: limit} for path, allowed in dimensions.items() for limit in _limits(allowed)]
    return [tuned_recipe(settings, values) for values in [{}, *tried]]


def _limits(allowed: Range) -> list[Any]:
    if allowed.choices is not None:
        return allowed.choices
    return [int(limit) if allowed.step else limit for limit in (allowed.low, allowed.high)]


def distributions(space: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """Return the space as Optuna distributions; choices are JSON, as Optuna takes no mappings."""
    return {path: _distribution(allowed) for path, allowed in space.items()}


def _distribution(allowed: Range) -> BaseDistribution:
    if allowed.choices is not None:
        return CategoricalDistribution([json.dumps(choice) for choice in allowed.choices])
    low, high = _limits(allowed)
    if allowed.step:
        return IntDistribution(low, high, log=allowed.log, step=allowed.step)
    return FloatDistribution(low, high, log=allowed.log)


def values(space: Mapping[str, Range], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Convert Optuna's values to those of params.yaml; real numbers are rounded to `DIGITS`."""
    return {path: _value(space[path], drawn[path]) for path in space}


def _value(allowed: Range, drawn: Any) -> Any:
    if allowed.choices is not None:
        return json.loads(drawn)
    if allowed.step:
        return drawn
    return min(max(float(f"{drawn:.{DIGITS}g}"), allowed.low), allowed.high)


def standing(settings: Params) -> dict[str, Any] | None:
    """Return the row's own values as Optuna values, or None if one lies outside the space.

    Args:
        settings: params.yaml, with a space that has passed `check`.
    """
    space = settings.search.space
    untouched = tuned_recipe(settings, {})
    drawn = {}
    for path, allowed in space.items():
        if allowed.choices is not None:
            candidates = [json.dumps(choice) for choice in allowed.choices]
        else:
            value = _at(untouched, path)
            inside = value is not None and allowed.low <= value <= allowed.high
            on_grid = inside and (allowed.step is None or (value - allowed.low) % allowed.step == 0)
            candidates = [value] if on_grid else []
        for candidate in candidates:
            if tuned_recipe(settings, {path: _value(allowed, candidate)}) == untouched:
                drawn[path] = candidate
    return drawn if len(drawn) == len(space) else None


def _at(recipe: Recipe, path: str) -> Any:
    first, *rest = path.split(".")
    value: Any = getattr(recipe, first)
    if first == "augmentation":
        (value,) = (op for op in value if op.name == rest[0])
        rest = rest[1:]
    for part in rest:
        value = value.arguments[part] if isinstance(value, Named) else getattr(value, part)
    return value
