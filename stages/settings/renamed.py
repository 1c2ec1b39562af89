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


def with_new_names(content: Any, where: str = "") -> Any:
    """Return params.yaml, or its setting `where`, with old names replaced; warn of each on stderr.

    Raises:
        UserError: when a mapping has both the old and the new name.
    """
    if isinstance(content, list):
        return [with_new_names(item, f"{where}[{index}]") for index, item in enumerate(content)]
    if not isinstance(content, Mapping):
        return content
    replaced = {}
    for key, value in content.items():
        path, name = f"{where}.{key}" if where else key, key
        if isinstance(key, str) and where != "variants":  # there, names are the user's own
            name = ".".join(RENAMED.get(part, part) for part in key.split("."))  # search.space
        if name != key:
            if name in content:
                raise UserError(f"{path} is now called {name}, and both are given; remove {key}.")
            print(
                f"foldlab: params.yaml: {path} is now called {name}; rename it, because the next "
                "release will not accept the old name.",
                file=sys.stderr,
            )
        replaced[name] = with_new_names(value, path)
    return replaced
