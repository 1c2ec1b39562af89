"""The space of a search: paths inside a row, what each may be, and the row with values put in."""

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
from pydantic import ValidationError

from stages.engine.resolve import check_data, recipe
from stages.errors import UserError
from stages.params import Params
from stages.registry import lookup, register
from stages.sections import Named, Range, Settings, Train, Variant, explain
from stages.training.recipe import Recipe

DIGITS = 4  # significant ones of a real number, so that a row can be read and typed

PLACES: dict[str, Callable] = {}
place = register(PLACES)


def tuned_name(variant: str) -> str:
    """Return the name under which a search of a variant trains; it enters the seeds."""
    return f"{variant[:58]}_tuned"


def tuned(settings: Params, values: Mapping[str, Any]) -> Params:
    """Return the settings with one more row: that of `search.variant`, `values` put in.

    Args:
        settings: params.yaml.
        values: dotted path inside the row -> value, as params.yaml would have it.

    Raises:
        UserError: when the row has no such place.
    """
    name = tuned_name(settings.search.variant)
    row = settings.variant(settings.search.variant)
    settings = _with_row(settings, name, row)
    for path in sorted(values, key=lambda path: path.count(".")):  # a name before its arguments
        first, *rest = path.split(".")
        put = lookup("part of a row", PLACES, first, "its first part")
        row = settings.variants[name]
        changed = put(row, settings.train_settings(name), rest, values[path])
        try:
            row = Variant.model_validate(dict(row) | changed)
        except ValidationError as error:
            raise UserError(explain(error, Variant)) from None
        settings = _with_row(settings, name, row)
    return settings


def tuned_recipe(settings: Params, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the row with `values` put in; raises UserError as `recipe` does."""
    return recipe(tuned(settings, values), tuned_name(settings.search.variant))


@place
def architecture(row: Variant, train: Train, rest: list[str], value: Any) -> dict:
    """Put in an architecture, or an argument of the one that is there."""
    return {"architecture": _within(row.architecture, rest, value)}


@place
def augmentation(row: Variant, train: Train, rest: list[str], value: Any) -> dict:
    """Put in a list of ops, or an argument of the only op of a name."""
    if not rest:
        return {"augmentation": value}
    places = [number for number, op in enumerate(row.augmentation) if op.name == rest[0]]
    if len(places) != 1 or len(rest) != 2:
        raise UserError(
            f"augmentation.{'.'.join(rest)} is no argument of an op that stands once in the row; "
            f"its ops are {', '.join(op.name for op in row.augmentation) or 'none'}."
        )
    ops: list[Any] = list(row.augmentation)
    ops[places[0]] = _within(ops[places[0]], rest[1:], value)
    return {"augmentation": ops}


@place
def train(row: Variant, train: Train, rest: list[str], value: Any) -> dict:
    """Put in an override of the base `train`, or an argument of one that has arguments."""
    field, *deeper = rest or [""]
    if field in Train.model_fields:  # others are refused by name when the row is read
        value = _within(getattr(train, field), deeper, value)
    return {"train": {**row.train, field: value}}


def _within(old: Any, rest: list[str], value: Any) -> Any:
    """Return `old` as params.yaml would have it, with `value` at the path `rest` inside it."""
    if not rest:
        return value
    if len(rest) == 1 and isinstance(old, Named):
        return {old.name: {**old.arguments, rest[0]: value}}
    if len(rest) == 1 and isinstance(old, Settings):
        return {**old.model_dump(), rest[0]: value}
    raise UserError(f"{'.'.join(rest)} has no place in the row, which has {old!r} there.")


def _with_row(settings: Params, name: str, row: Variant) -> Params:
    return settings.model_copy(update={"variants": {**settings.variants, name: row}})


def check(settings: Params, dataset: Mapping, prepared: Path) -> None:
    """Refuse a space with a place or an end that the row's settings would refuse.

    Each dimension is tried at its ends with the row as it stands, then with each other one's, since
    an argument of one architecture may be none of another.

    Args:
        settings: params.yaml.
        dataset: the content of dataset.json.
        prepared: the folder of it and of the images.

    Raises:
        UserError: for the first value or pair of values that is refused, or an empty space.
    """
    space = settings.search.space
    if not space:
        raise UserError(
            "search.space in params.yaml is empty, so there is nothing to search; "
            "give it a setting, such as train.learning_rate: {low: 0.001, high: 0.01, log: true}."
        )
    if settings.variant(settings.search.variant).ensemble:
        raise UserError(
            f"search.variant is {settings.search.variant!r}, an ensemble, which trains nothing; "
            "name a row that has an architecture."
        )
    check_data(tuned_recipe(settings, {}), dataset, prepared)
    ends = {path: _ends(allowed) for path, allowed in space.items()}
    for paths in [(path,) for path in space] + list(itertools.combinations(space, 2)):
        for values in itertools.product(*(ends[path] for path in paths)):
            tried = dict(zip(paths, values, strict=True))
            try:
                check_data(tuned_recipe(settings, tried), dataset, prepared)
            except UserError as error:
                said = " and ".join(f"{path} = {json.dumps(v)}" for path, v in tried.items())
                name = tuned_name(settings.search.variant)
                why = str(error).removeprefix("is refused: ").replace(f"variants.{name}.", "")
                raise UserError(f"search.space cannot have {said}: {why}") from None


def architectures(settings: Params) -> list[Recipe]:
    """Return the row, and the row with each end of each dimension of its architecture."""
    dimensions = {p: r for p, r in settings.search.space.items() if p.startswith("architecture")}
    tried = [{path: end} for path, allowed in dimensions.items() for end in _ends(allowed)]
    return [tuned_recipe(settings, values) for values in [{}, *tried]]


def _ends(allowed: Range) -> list[Any]:
    if allowed.choices is not None:
        return allowed.choices
    return [int(end) if allowed.step else end for end in (allowed.low, allowed.high)]


def distributions(space: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """Return the space as Optuna has it; choices are JSON texts, since Optuna takes no mapping."""
    return {path: _distribution(allowed) for path, allowed in space.items()}


def _distribution(allowed: Range) -> BaseDistribution:
    if allowed.choices is not None:
        return CategoricalDistribution([json.dumps(choice) for choice in allowed.choices])
    low, high = _ends(allowed)
    if allowed.step:
        return IntDistribution(low, high, log=allowed.log, step=allowed.step)
    return FloatDistribution(low, high, log=allowed.log)


def values(space: Mapping[str, Range], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Optuna drew as params.yaml would have it, real numbers of `DIGITS` digits."""
    return {path: _value(space[path], drawn[path]) for path in space}


def _value(allowed: Range, drawn: Any) -> Any:
    if allowed.choices is not None:
        return json.loads(drawn)
    if allowed.step:
        return drawn
    return min(max(float(f"{drawn:.{DIGITS}g}"), allowed.low), allowed.high)


def standing(settings: Params) -> dict[str, Any] | None:
    """Return the row's own values as Optuna would draw them, None where the space lacks one.

    Args:
        settings: params.yaml with a space that `check` has accepted.
    """
    space = settings.search.space
    untouched = tuned_recipe(settings, {})
    drawn = {}
    for path, allowed in space.items():
        if allowed.choices is not None:
            known = [json.dumps(choice) for choice in allowed.choices]
        else:
            value = _at(untouched, path)
            inside = value is not None and allowed.low <= value <= allowed.high
            reached = inside and (allowed.step is None or (value - allowed.low) % allowed.step == 0)
            known = [value] if reached else []
        for candidate in known:
            if tuned_recipe(settings, {path: _value(allowed, candidate)}) == untouched:
                drawn[path] = candidate
    return drawn if len(drawn) == len(space) else None


def _at(chosen: Recipe, path: str) -> Any:
    first, *rest = path.split(".")
    found: Any = getattr(chosen, first)
    if first == "augmentation":
        (found,) = (op for op in found if op.name == rest[0])
        rest = rest[1:]
    for part in rest:
        found = found.arguments[part] if isinstance(found, Named) else getattr(found, part)
    return found
