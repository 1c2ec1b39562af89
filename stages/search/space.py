"""The search space: dotted paths inside a row, their allowed values, and rows with values set."""

import itertools
import json
from collections.abc import Mapping
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
from stages.settings.registry import nearest
from stages.settings.sections import Named, Range, Settings, Train, Variant
from stages.training.recipe import Recipe

DIGITS = 4  # significant digits of real numbers, to keep rows readable


def tuned_name(variant: str) -> str:
    """Return the name under which a search trains a variant; it is part of the seeds."""
    return f"{variant[:58]}_tuned"


def tuned(settings: Params, values: Mapping[str, Any]) -> Params:
    """Return the settings with one additional row: that of `search.variant` with `values` set.

    `values` maps dotted paths inside the row to values, both as in params.yaml.

    Raises:
        UserError: when the row has no such path, or the value is not allowed.
    """
    name = tuned_name(settings.search.variant)
    row = settings.variant(settings.search.variant)
    settings = _with_row(settings, name, row)
    for path in sorted(values, key=lambda path: path.count(".")):  # names before their arguments
        changed = _changed(settings, name, path.split("."), values[path])
        row = validate(Variant, dict(settings.variants[name]) | changed)
        settings = _with_row(settings, name, row)
    return settings


def tuned_recipe(settings: Params, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the row with `values` set; raises UserError like `recipe`."""
    return recipe(tuned(settings, values), tuned_name(settings.search.variant))


def _with_row(settings: Params, name: str, row: Variant) -> Params:
    return settings.model_copy(update={"variants": {**settings.variants, name: row}})


def _changed(settings: Params, name: str, path: list[str], value: Any) -> dict[str, Any]:
    """Return the part of a row that a path leads to, as in params.yaml, with the value set."""
    row = settings.variants[name]
    match path:
        case ["architecture", *rest]:
            return {"architecture": _within(row.architecture, rest, value)}
        case ["augmentation"]:
            return {"augmentation": value}
        case ["augmentation", op, *rest]:
            ops: list[Any] = list(row.augmentation)
            names = [one.name for one in ops]
            if names.count(op) != 1 or len(rest) != 1:
                raise UserError(
                    f"{'.'.join(path)} is not an argument of an op that occurs once in the row; "
                    f"its ops are {', '.join(names) or 'none'}."
                )
            ops[names.index(op)] = _within(ops[names.index(op)], rest, value)
            return {"augmentation": ops}
        case ["train", field, *rest]:
            if field in Train.model_fields:  # validating the row rejects other names
                value = _within(getattr(settings.train_settings(name), field), rest, value)
            return {"train": {**row.train, field: value}}
    known = ("architecture", "augmentation", "train")
    raise UserError(
        f"{'.'.join(path)} is not a path inside a row; paths start with {', '.join(known)}."
        f"{nearest(path[0], known)}"
    )


def _within(old: Any, rest: list[str], value: Any) -> Any:
    """Return `old`, as in params.yaml, with `value` at the path `rest` inside it."""
    if not rest:
        return value
    if len(rest) == 1 and isinstance(old, Named):
        return {old.name: {**old.arguments, rest[0]: value}}
    if len(rest) == 1 and isinstance(old, Settings):
        return {**old.model_dump(), rest[0]: value}
    raise UserError(f"{'.'.join(rest)} cannot be set, because the row has {old!r} there.")


def check(settings: Params, dataset: Mapping[str, Any], prepared: Path) -> None:
    """Check that every value of the search space can be trained, as far as settings tell.

    The limits of each dimension are tried separately, then in pairs with those of every other
    dimension, since an argument of one architecture may be unknown to another.

    Raises:
        UserError: for an empty space, or the first value or pair of values that is not valid; see
            `check_data`.
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
    made: dict[str, BaseDistribution] = {}
    for path, allowed in space.items():
        limits = _limits(allowed)
        if allowed.choices is not None:
            made[path] = CategoricalDistribution([json.dumps(choice) for choice in limits])
        elif allowed.step:
            made[path] = IntDistribution(*limits, log=allowed.log, step=allowed.step)
        else:
            made[path] = FloatDistribution(*limits, log=allowed.log)
    return made


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

    The space must have passed `check`.
    """
    space, untouched = settings.search.space, tuned_recipe(settings, {})
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
    """Return the value of a setting at a path inside the row."""
    first, *rest = path.split(".")
    value = recipe.model_dump()[first]
    if first == "augmentation":
        (value,) = (op for op in value if op["name"] == rest[0])
        rest = rest[1:]
    for part in rest:
        value = value.get("arguments", value)[part]
    return value
