"""Format a variant's settings, as stored in training.json, for people."""

from collections.abc import Mapping, Sequence
from typing import Any

# Settings that let a fold's validation images influence its training, and what they choose.
ON_VALIDATION = {
    "early_stopping": "early stopping chose the epochs",
    "reduce_on_plateau": "plateaus chose the learning rates",
}


def on_validation(settings: Mapping[str, Any]) -> list[str]:
    """Return which of ON_VALIDATION a variant uses, or any member of an ensemble."""
    rows = settings.get("ensemble", {"": settings}).values()
    return [key for key in ON_VALIDATION if any(row.get("train", {}).get(key) for row in rows)]


def environment(training: Mapping[str, Any]) -> str:
    """Return the versions a variant was trained with, such as `python 3.11, keras 3.15.1`.

    Args:
        training: the content of training.json; older ones lack the versions.
    """
    known = training.get("environment") or {}
    return ", ".join(f"{name} {value}" for name, value in known.items()) or (
        "versions that were not recorded"
    )


def flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return setting -> text, with those of `train` moved to the top level.

    For an ensemble, only its members' names: their settings are listed with the members.
    """
    if "ensemble" in settings:
        return {"ensemble": ", ".join(settings["ensemble"])}
    both = {**settings, **settings.get("train", {})}
    return {key: formatted(value) for key, value in both.items() if key != "train"}


def differing(settings: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return the settings that differ: (setting, its text for each variant).

    An ensemble has no settings but its members; its empty cells do not count as a difference.

    Args:
        settings: variant -> its settings.
    """
    texts = [flat(own) for own in settings.values()]
    keys = dict.fromkeys(key for own in texts for key in own)
    table = [
        (key, [own.get(key, "" if "ensemble" in own else "none") for own in texts]) for key in keys
    ]
    return [(key, row) for key, row in table if len({*row} - {""}) > 1]


def formatted(value: Any) -> str:
    """Format a setting for people, such as `rotate (degrees=10), flip`."""
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, Mapping):
        inner = value["arguments"] if value.keys() == {"name", "arguments"} else value
        text = ", ".join(f"{key}={formatted(one)}" for key, one in inner.items())
        if inner is value:
            return text
        return f"{value['name']} ({text})" if text else value["name"]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(formatted(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
