"""Read YAML, and reject values that DVC would read differently.

The stages use PyYAML, which follows YAML 1.1. DVC uses ruamel.yaml, which follows YAML 1.2, and
records its values with the results. For example, `010` is 8 in YAML 1.1 and 10 in YAML 1.2.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import UserError


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number and 2026-01-31 as text, and rejects tags."""

    def fetch_tag(self) -> None:
        raise yaml.scanner.ScannerError(None, None, "tags are not allowed", self.get_mark())


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
for _resolvers in _Loader.yaml_implicit_resolvers.values():
    _resolvers[:] = [each for each in _resolvers if each[0] != "tag:yaml.org,2002:timestamp"]


def read(path: Path) -> Any:
    """Return the content of a YAML file, or None if it is empty.

    Raises:
        UserError: for text that is not UTF-8 or YAML, tags, duplicate keys, keys that are not
            scalars, and keys or values that PyYAML and DVC read differently.
        OSError: when the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        by_dvc = YAML(typ="safe").load(text)  # refuses duplicate keys
        difference = next(_differences(content, by_dvc, ""), None)
    except (yaml.YAMLError, YAMLError, ValueError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UserError(f"{path} is not valid YAML{place} ({reason}); correct it.") from None
    if difference:
        setting, ours, theirs = difference
        raise UserError(
            f"{path} has {setting}, which the stages read as {ours} (YAML 1.1) and DVC as {theirs} "
            "(YAML 1.2); write a decimal number, true, false, or text in quotes."
        )
    return content


def _differences(ours: Any, theirs: Any, setting: str) -> Iterator[tuple[str, str, str]]:
    """Yield the path of each key and value that differs, and both readings."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(*pair, f"{setting}[{index}]")
    elif isinstance(ours, dict) and isinstance(theirs, dict) and len(ours) == len(theirs):
        for key, their_key in zip(ours, theirs, strict=True):
            part = str(their_key) if str(their_key).isprintable() else repr(their_key)
            path = f"{setting}.{part}" if setting else part
            yield from _differences(key, their_key, f"the key {path}")
            yield from _differences(ours[key], theirs[their_key], path)
    elif repr(ours) != repr(theirs):  # NaN equals NaN, but 1, 1.0, True and '1' all differ
        yield setting or "a value", repr(ours), repr(theirs)
