"""YAML as plain values, refused where another reader would take it for other values.

The stages read by PyYAML, which follows YAML 1.1; DVC reads by ruamel.yaml, which follows YAML 1.2,
and records what it read beside the results. `010` is 8 to the one and 10 to the other.
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
    """Return the content of a YAML file as DVC reads it too: None for an empty one.

    Raises:
        UserError: for what is no YAML, a tag, a key that stands twice or is no plain text, and a
            value or key that PyYAML and DVC read differently.
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
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise UserError(f"{path} is not valid YAML{place} ({said}); mend it there.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as such.") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be settings; mend it.") from None


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as the number and 2026-01-31 as the text that it is, and holds DVC's reader."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.dvc = YAML(typ="safe")  # as DVC makes it
        self.checked: set[yaml.Node] = set()
        super().__init__(self.text)

    def check(self, node: yaml.Node, dvc: Any, setting: str) -> None:
        """Refuse what is no plain setting at or below a node, or not the same in DVC's node."""
        if node in self.checked:  # an alias, perhaps of what it stands in
            return
        self.checked.add(node)
        line = node.start_mark.line + 1
        plain = node.style is None if isinstance(node, yaml.ScalarNode) else True
        if node.tag != self.resolve(type(node), node.value, (plain, not plain)):
            raise UserError(
                f"{self.path} has the tag {node.tag} in line {line}, but settings have no tags; "
                "remove it."
            )
        if type(node).__name__ != type(dvc).__name__ or len(node.value) != len(dvc.value):
            raise UserError(
                f"{self.path} has {setting or 'its content'} in line {line} in a form that DVC "
                "reads as something else; write it in a simpler one."
            )
        if isinstance(node, yaml.ScalarNode):
            self._same(node, dvc, f"{setting} as", "")
        elif isinstance(node, yaml.SequenceNode):
            for place, pair in enumerate(zip(node.value, dvc.value, strict=True)):
                self.check(*pair, f"{setting}[{place}]")
        else:
            self._check_mapping(node, dvc, setting)

    def _check_mapping(self, node: yaml.MappingNode, dvc: Any, setting: str) -> None:
        seen = set()
        for (key, value), (dvc_key, dvc_value) in zip(node.value, dvc.value, strict=True):
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(
                    f"{self.path} has a key in line {line} that is no plain text; write a name."
                )
            inside = f"{setting} with " if setting else ""
            name = self._same(key, dvc_key, f"{inside}the key", json.dumps(key.value))
            if name in seen:
                raise UserError(f"{self.path} has {name!r} twice, again in line {line}; keep one.")
            seen.add(name)
            part = str(name) if str(name).isprintable() else repr(name)
            self.check(value, dvc_value, f"{setting}.{part}" if setting else part)

    def _same(self, node: yaml.ScalarNode, dvc: Any, what: str, instead: str) -> Any:
        """Return a scalar's value, or refuse it where DVC reads another one."""
        written = " ".join(self.text[node.start_mark.index : node.end_mark.index].split())
        written = written if len(written) <= 60 else f"{written[:57]}..."
        has = f"{self.path} has {what} {written} in line {node.start_mark.line + 1}"
        try:
            ours, theirs = self.construct_object(node), self.dvc.constructor.construct_object(dvc)
        except (ValueError, OverflowError) as error:  # the 99th of a month, 5,000 digits
            raise UserError(
                f"{has}, which cannot be read ({error}); put it in quotes, or correct it."
            ) from None
        if repr(ours) == repr(theirs):  # nan is nan; 1, 1.0, true and '1' differ
            return ours
        meant = [_spelt(value) for value in (ours, theirs) if not isinstance(value, date)]
        raise UserError(
            f"{has}, which the stages read as {_spelt(ours)} (YAML 1.1) and DVC as "
            f"{_spelt(theirs)} (YAML 1.2); write {instead or ' or '.join(meant)}."
        )


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
for _resolvers in _Loader.yaml_implicit_resolvers.values():  # no setting is a date: it is text
    _resolvers[:] = [found for found in _resolvers if found[0] != "tag:yaml.org,2002:timestamp"]


def _spelt(value: Any) -> str:
    """Return a scalar as every reader of YAML understands it; text in quotes."""
    if isinstance(value, date):
        return "a date"
    return json.dumps(value) if isinstance(value, str) else yaml.safe_dump(value).split("\n")[0]
