"""The search space: dotted paths inside a row, their allowed values, and rows with values set."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
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
from stages.settings.sections import Named, Range, Settings, Variant
from stages.training.recipe import Recipe

EDGE = 0.05  # share of a range at each end, where better values may lie beyond it
EACH = 100  # values of whole numbers at most that are all tried
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
        changed = _changed(settings, name, path, values[path])
        row = validate(Variant, dict(settings.variants[name]) | changed)
        settings = _with_row(settings, name, row)
    return settings


def tuned_recipe(settings: Params, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the row with `values` set; raises UserError like `recipe`."""
    return recipe(tuned(settings, values), tuned_name(settings.search.variant))


def _with_row(settings: Params, name: str, row: Variant) -> Params:
    return settings.model_copy(update={"variants": {**settings.variants, name: row}})


def _changed(settings: Params, name: str, path: str, value: Any) -> dict[str, Any]:
    """Return the part of a row that a path leads to, as in params.yaml, with the value set."""
    row = settings.variants[name]
    match path.split("."):
        case ["architecture" | "augmentation" | "shrink" as key]:
            return {key: value}
        case ["architecture", argument]:
            return {"architecture": _with_argument(row.architecture, argument, value)}
        case ["augmentation", op, argument] if [o.name for o in row.augmentation].count(op) == 1:
            ops = row.augmentation
            changed = [_with_argument(o, argument, value) if o.name == op else o for o in ops]
            return {"augmentation": changed}
        case ["train", field]:
            return {"train": {**row.train, field: value}}
        case ["train", field, argument]:
            old = getattr(settings.train_settings(name), field, None)
            return {"train": {**row.train, field: _with_argument(old, argument, value)}}
    raise UserError(
        f"{path} is not a setting of the row; give architecture, augmentation, shrink, train.NAME, "
        "or an argument of one of these, or of an op that occurs once in the row: "
        "augmentation.OP.NAME."
    )


def _with_argument(old: Any, argument: str, value: Any) -> dict[str, Any]:
    """Return the setting `old`, as in params.yaml, with one of its arguments set."""
    if isinstance(old, Named):
        return {old.name: {**old.arguments, argument: value}}
    if isinstance(old, Settings):
        return {**old.model_dump(), argument: value}
    raise UserError(f"{argument} cannot be set, because the row has {old!r} there.")


def check(settings: Params, dataset: Mapping[str, Any], prepared: Path) -> None:
    """Check that every value of the search space can be trained, as far as settings tell.

    The values of each dimension are tried separately, all of them if they are few. Then the limits
    of each are tried in pairs with those of every other dimension, since an argument of one
    architecture may be unknown to another.

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
    for paths in [(path,) for path in space] + list(itertools.combinations(space, 2)):
        tries = _limits if len(paths) == 2 else _each
        for values in itertools.product(*(tries(space[path]) for path in paths)):
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
    limits: list[Any] = [allowed.low, allowed.high]
    return [int(limit) for limit in limits] if allowed.step else limits


def _each(allowed: Range) -> list[Any]:
    """Return all values of whole numbers if they are at most EACH, otherwise the limits."""
    limits = _limits(allowed)
    if not allowed.step:
        return limits
    every = range(limits[0], limits[1] + 1, allowed.step)
    return [*every] if len(every) <= EACH else limits


def at_edge(space: Mapping[str, Range], values: Mapping[str, Any]) -> list[str]:
    """Return the paths of ranges whose value lies in the outermost twentieth of the range."""
    paths = []
    for path, allowed in space.items():
        if allowed.choices is None:
            scale = np.log if allowed.log else np.asarray
            low, high, value = (float(scale(one)) for one in (*_limits(allowed), values[path]))
            if not EDGE < (value - low) / (high - low) < 1 - EDGE:
                paths.append(path)
    return paths


def distributions(space: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """Return the space as Optuna distributions; choices are JSON, as Optuna takes no mappings."""
    made: dict[str, BaseDistribution] = {}
    for path, allowed in space.items():
        limits = _limits(allowed)
        if allowed.choices is not None:
            made[path] = CategoricalDistribution([json.dumps(choice) for choice in limits])
        elif allowed.step:
            made[path] = IntDistribution(limits[0], limits[1], allowed.log, allowed.step)
        else:
            made[path] = FloatDistribution(limits[0], limits[1], allowed.log)
    return made


def values(space: Mapping[str, Range], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Convert Optuna's values to those of params.yaml; real numbers are rounded to `DIGITS`."""
    return {path: _value(space[path], drawn[path]) for path in space}


def _value(allowed: Range, drawn: Any) -> Any:
    if allowed.choices is not None:
        return json.loads(drawn)
    if allowed.step:
        return drawn
    low, high = _limits(allowed)
    return min(max(float(f"{drawn:.{DIGITS}g}"), low), high)


def own_values(settings: Params) -> dict[str, Any] | None:
    """Return the row's own values as Optuna values, or None if one lies outside the space.

    The space must have passed `check`.
    """
    space, untouched = settings.search.space, tuned_recipe(settings, {})
    drawn = {}
    for path, allowed in space.items():
        limits = _limits(allowed)
        if allowed.choices is not None:
            candidates = [json.dumps(choice) for choice in limits]
        else:
            (low, high), own = limits, _at(untouched, path)
            if allowed.step:
                inside = own in range(low, high + 1, allowed.step)
            else:
                inside = own is not None and low <= own <= high
            candidates = [own] if inside else []
        for candidate in candidates:
            if tuned_recipe(settings, {path: _value(allowed, candidate)}) == untouched:
                drawn[path] = candidate
    return drawn if len(drawn) == len(space) else None


def _at(recipe: Recipe, path: str) -> Any:
    """Return the value of a setting at a path inside the row."""
    value: Any = recipe.model_dump()
    for part in path.split("."):
        if isinstance(value, list):  # of ops
            (value,) = (op for op in value if op["name"] == part)
        else:
            value = value.get("arguments", value)[part]
    return value
