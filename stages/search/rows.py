"""Write rows of `variants` as YAML, and add them to params.yaml without changing the rest."""

import itertools
import textwrap
from pathlib import Path
from typing import Any

import yaml

from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.files import replacing
from stages.settings import params
from stages.settings.params import Params
from stages.settings.sections import Named, Variant
from stages.training.recipe import Recipe


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML parsers might read as a number or a date."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if text[:1] in "+-.0123456789" else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


def _named(dumper: yaml.SafeDumper, named: Named) -> yaml.Node:
    return dumper.represent_data({named.name: named.arguments} if named.arguments else named.name)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Named, _named)


def text(name: str, row: Variant, indent: int = 2) -> str:
    """Return a row (not an ensemble) as lines of params.yaml, indented by `indent` spaces."""
    content = {"description": row.description} if row.description else {}
    content |= {key: v for key, v in dict(row).items() if v != getattr(Variant(), key)}
    dumped = yaml.dump(
        {name: content},
        Dumper=_Dumper,
        default_flow_style=None,  # mappings of plain values in one line
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return textwrap.indent(dumped, " " * indent)


def free_name(settings: Params, wanted: str) -> str:
    """Return `wanted`, followed by the first free number if a row has that name."""
    names = itertools.chain([wanted], (f"{wanted}_{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in settings.variants)


def same(settings: Params, row: Variant) -> str | None:
    """Return the name of a row with the same resolved settings as `row`, or None."""

    def resolved(row: Variant) -> Recipe:
        return recipe(settings.model_copy(update={"variants": {"a": row}}), "a")

    rows = {name: other for name, other in settings.variants.items() if not other.ensemble}
    return next((name for name, other in rows.items() if resolved(other) == resolved(row)), None)


def add(name: str, row: Variant, path: Path = Path("params.yaml")) -> None:
    """Append a row with a new name to `variants`; every other byte of the file stays the same.

    Raises:
        UserError: when `variants` is written in braces, or the row cannot be inserted as text.
        OSError: when the file cannot be written.
    """
    settings = params.load(path)
    before = path.read_bytes().decode("utf-8")
    newline = "\r\n" if "\r\n" in before else "\n"
    lines = before.splitlines(keepends=True)
    sections: list[Any] = yaml.compose(before, yaml.SafeLoader).value  # type: ignore[union-attr]
    place = [key.value for key, _ in sections].index("variants")
    rows = sections[place][1]
    if rows.flow_style:
        raise UserError(
            f"{path} has variants in braces, where a row cannot be added automatically; "
            "write one row per line, or paste the row by hand."
        )
    is_last = place + 1 == len(sections)
    end = len(lines) if is_last else sections[place + 1][0].start_mark.line
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    added = "\n" + text(name, row, rows.value[0][0].start_mark.column)
    if not lines[end - 1].endswith("\n"):
        added = "\n" + added
    after = "".join([*lines[:end], added.replace("\n", newline), *lines[end:]])
    expected = settings.model_copy(update={"variants": {**settings.variants, name: row}})
    with replacing(path) as temporary:
        temporary.write_bytes(after.encode("utf-8"))
        if params.load(temporary) != expected:
            raise UserError(f"could not find the end of variants in {path}; paste the row by hand.")
