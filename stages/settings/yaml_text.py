"""Read YAML, and reject values that DVC would read differently.

The stages use PyYAML, which follows YAML 1.1. DVC uses ruamel.yaml, which follows YAML 1.2, and
records its values with the results. For example, `010` is 8 in YAML 1.1 and 10 in YAML 1.2.
"""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.errors import UserError


def read(path: Path) -> Any:
    """Return the content of a YAML file, or None if it is empty.

    Raises:
        UserError: for invalid YAML, tags, duplicate keys, keys that are not scalars, and keys or
            values that PyYAML and DVC read differently.
        OSError: when the file cannot be read.
    """
    try:
        loader = _Loader(path)
        node = loader.get_single_node()
        if node is None:
            return None
        loader.check(node, loader.dvc.compose(loader.text), "")
        return loader.construct_document(node)
    except (yaml.YAMLError, YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise UserError(f"{path} is not valid YAML{place} ({reason}); correct it.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply for settings; correct it.") from None


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number and 2026-01-31 as text; compares nodes with those of DVC's parser."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.dvc = YAML(typ="safe")  # the parser that DVC uses
        self.checked: set[yaml.Node] = set()
        super().__init__(self.text)

    def check(self, node: yaml.Node, dvc: Any, setting: str) -> None:
        """Check that a node and its children are plain settings, and equal those of DVC's node."""
        if node in self.checked:  # an alias, perhaps of a parent
            return
        self.checked.add(node)
        line = node.start_mark.line + 1
        plain = node.style is None if isinstance(node, yaml.ScalarNode) else True
        if node.tag != self.resolve(type(node), node.value, (plain, not plain)):
            raise UserError(
                f"{self.path} has the tag {node.tag} in line {line}, but tags are not allowed; "
                "remove it."
            )
        if type(node).__name__ != type(dvc).__name__ or len(node.value) != len(dvc.value):
            raise UserError(
                f"{self.path} has {setting or 'its content'} in line {line} in a form that DVC "
                "reads differently; write it in a simpler form."
            )
        if isinstance(node, yaml.ScalarNode):
            self._same(node, dvc, f"{setting} as", "")
        elif isinstance(node, yaml.SequenceNode):
            for index, pair in enumerate(zip(node.value, dvc.value, strict=True)):
                self.check(*pair, f"{setting}[{index}]")
        else:
            self._check_mapping(node, dvc, setting)

    def _check_mapping(self, node: yaml.MappingNode, dvc: Any, setting: str) -> None:
        seen = set()
        for (key, value), (dvc_key, dvc_value) in zip(node.value, dvc.value, strict=True):
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(
                    f"{self.path} has a key in line {line} that is not a scalar; use a name."
                )
            inside = f"{setting} with " if setting else ""
            name = self._same(key, dvc_key, f"{inside}the key", json.dumps(key.value))
            if name in seen:
                raise UserError(f"{self.path} has {name!r} twice, again in line {line}; keep one.")
            seen.add(name)
            part = str(name) if str(name).isprintable() else repr(name)
            self.check(value, dvc_value, f"{setting}.{part}" if setting else part)

    def _same(self, node: yaml.ScalarNode, dvc: Any, what: str, instead: str) -> Any:
        """Return a scalar's value after checking that DVC reads the same."""
        written = " ".join(self.text[node.start_mark.index : node.end_mark.index].split())
        written = written if len(written) <= 60 else f"{written[:57]}..."
        has = f"{self.path} has {what} {written} in line {node.start_mark.line + 1}"
        try:
            ours, theirs = self.construct_object(node), self.dvc.constructor.construct_object(dvc)
        except (ValueError, OverflowError) as error:  # such as an invalid date, or 5,000 digits
            raise UserError(
                f"{has}, which cannot be read ({error}); put it in quotes, or correct it."
            ) from None
        if repr(ours) == repr(theirs):  # so that NaN equals NaN, but not 1, 1.0, True and '1'
            return ours
        options = [_formatted(value) for value in (ours, theirs) if not isinstance(value, date)]
        raise UserError(
            f"{has}, which the stages read as {_formatted(ours)} (YAML 1.1) and DVC as "
            f"{_formatted(theirs)} (YAML 1.2); write {instead or ' or '.join(options)}."
        )


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
for _resolvers in _Loader.yaml_implicit_resolvers.values():  # read dates as text
    _resolvers[:] = [each for each in _resolvers if each[0] != "tag:yaml.org,2002:timestamp"]


def _formatted(value: Any) -> str:
    """Return a scalar in a form that all YAML parsers read the same way; text in quotes."""
    if isinstance(value, date):
        return "a date"
    return json.dumps(value) if isinstance(value, str) else yaml.safe_dump(value).split("\n")[0]
