"""Format a variant's settings, as stored in training.json, for people."""

from collections.abc import Mapping, Sequence
from typing import Any

# Settings that let a fold's validation images influence its training, and what they choose.
ON_VALIDATION = {
    "early_stopping": "Early stopping chose the epochs",
    "reduce_on_plateau": "Reduction on plateau chose the learning rates",
}


def rows(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a variant's settings, or for an ensemble those of its members."""
    return [*settings.get("ensemble", {"": settings}).values()]


def on_validation(settings: Mapping[str, Any]) -> list[str]:
    """Return which of ON_VALIDATION a variant uses, or any member of an ensemble."""
    sections = [row.get("train", {}) for row in rows(settings)]
    return [key for key in ON_VALIDATION if any(train.get(key) for train in sections)]


def environment(training: Mapping[str, Any]) -> str:
    """Return the versions and kernels in training.json: `python 3.11, keras 3.15.1, ...`."""
    known = {**training["environment"]}
    known.pop("auto_precision", None)  # what `auto` would mean; the precision is shown elsewhere
    return ", ".join(f"{name} {value}" for name, value in known.items())


def texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return setting -> text, with those of `train` moved to the top level.

    For an ensemble, only its members' names: their settings are listed with the members.
    """
    if "ensemble" in settings:
        return {"ensemble": ", ".join(settings["ensemble"])}
    both = {**settings, **settings.get("train", {})}
    return {key: formatted(value) for key, value in both.items() if key != "train"}


def differing(settings: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return the settings that differ between variants: (setting, its text for each variant).

    An ensemble has no settings but its members; its empty cells do not count as a difference.
    """
    each = [texts(own) for own in settings.values()]
    table = {
        key: [own.get(key, "" if "ensemble" in own else "none") for own in each]
        for own in each
        for key in own
    }
    return [(key, row) for key, row in table.items() if len({*row} - {""}) > 1]


def formatted(value: Any) -> str:
    """Format a setting for people, such as `rotate (degrees=10), flip`."""
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, Mapping) and value.keys() == {"name", "arguments"}:
        arguments = value["arguments"]
        return f"{value['name']} ({formatted(arguments)})" if arguments else value["name"]
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={formatted(one)}" for key, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(formatted(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
