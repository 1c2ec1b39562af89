"""Settings that have a new name: the old one still works for one release, with a warning."""

import sys
from collections.abc import Mapping
from typing import Any

from stages.errors import UserError

RENAMED = {  # old name -> new name; remove each entry one release after its renaming
    "clip_norm": "global_clipnorm",
    "erase": "random_erasing",
    "pooled": "conv_dropout",
    "flat": "dense_dropout",
}


def with_new_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of params.yaml with each old name replaced; warn of it on stderr.

    Raises:
        UserError: when a mapping has both the old and the new name.
    """
    renamed = dict(content)
    for section in ("train", "search"):
        if section in content:
            renamed[section] = _replace(content[section], section)
    if isinstance(rows := content.get("variants"), Mapping):  # their names are the user's own
        renamed["variants"] = {
            name: _replace(row, f"variants.{name}") for name, row in rows.items()
        }
    return renamed


def _replace(value: Any, where: str) -> Any:
    if where.count(".") > 20:  # an alias of its own parent, which no section allows
        return value
    if isinstance(value, list):
        return [_replace(one, f"{where}[{index}]") for index, one in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    replaced = {}
    for key, inner in value.items():
        name = key
        if isinstance(key, str):  # may be a dotted path, in search.space
            name = ".".join(RENAMED.get(part, part) for part in key.split("."))
        if name != key:
            if name in value:
                raise UserError(
                    f"params.yaml has both {where}.{key} and {where}.{name}, the new name of the "
                    f"same setting; remove {key}."
                )
            print(
                f"foldlab: params.yaml: {where}.{key} is now called {name}; rename it, because the "
                "next release does not know the old name.",
                file=sys.stderr,
            )
        replaced[name] = _replace(inner, f"{where}.{name}")
    return replaced
