"""A row of `variants` as YAML text, and params.yaml with one row more and all else as it was."""

from pathlib import Path
from typing import Any

import yaml

from stages import params
from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.files import replacing
from stages.params import Params
from stages.sections import Named, Train, Variant
from stages.training.recipe import Recipe


def written(row: Variant) -> Variant:
    """Return the row without the overrides of null that leave the base as it is."""
    optional = {field for field, about in Train.model_fields.items() if about.default is None}
    overrides = {key: v for key, v in row.train.items() if v is not None or key in optional}
    return row.model_copy(update={"train": overrides})


def text(name: str, row: Variant, indent: int = 2) -> str:
    """Return a row as lines of params.yaml, `indent` spaces before its name."""
    lines = [f"{name}:"]
    if row.description:
        lines.append(f"  description: {_inline(row.description)}")
    lines.append(f"  architecture: {_inline(_plain(row.architecture))}")
    if row.augmentation:
        lines += ["  augmentation:", *(f"    - {_op(op)}" for op in row.augmentation)]
    if row.train:
        lines += ["  train:", *(f"    {key}: {_inline(v)}" for key, v in row.train.items())]
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _plain(named: Named) -> Any:
    return {named.name: named.arguments} if named.arguments else named.name


def _op(named: Named) -> str:
    return f"{named.name}: {_inline(named.arguments)}" if named.arguments else named.name


def _inline(value: Any) -> str:
    """Return a value as YAML on one line."""
    dumped = yaml.dump(
        [value],
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return dumped.strip()[1:-1]


class _Dumper(yaml.SafeDumper):
    """Quotes all text that could be a number or a date, which readers of YAML disagree on."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, "'" if text[:1] in "+-.0123456789" else None
    ),
)


def free_name(settings: Params, wanted: str) -> str:
    """Return `wanted`, or with the first number after it that no row has."""
    names = (wanted, *(f"{wanted}_{number}" for number in range(2, len(settings.variants) + 3)))
    return next(name for name in names if name not in settings.variants)


def same(settings: Params, row: Variant) -> str | None:
    """Return the name of the row that trains with just the settings of `row`, None without one."""
    wanted = _trained(settings, row)
    trained = {name: known for name, known in settings.variants.items() if not known.ensemble}
    equal = (name for name, known in trained.items() if _trained(settings, known) == wanted)
    return next(equal, None)


def _trained(settings: Params, row: Variant) -> Recipe:
    return recipe(settings.model_copy(update={"variants": {"a": row}}), "a")


def add(name: str, row: Variant, path: Path = Path("params.yaml")) -> None:
    """Write a row after the last one of `variants`; every other byte stays.

    Args:
        name: one that no row has.
        row: what `written` returned.
        path: params.yaml.

    Raises:
        UserError: when there is no place for lines, as in `variants: {...}`.
        OSError: when the file cannot be written.
    """
    before = path.read_bytes().decode("utf-8")
    newline = "\r\n" if "\r\n" in before else "\n"
    lines = before.splitlines(keepends=True)
    (rows,) = (
        value
        for key, value in yaml.compose(before, yaml.SafeLoader).value
        if key.value == "variants"
    )
    if rows.flow_style:
        raise UserError(
            f"{path} has its variants in braces, where no row can be added by itself; "
            "write them in lines, or paste the row by hand."
        )
    at = _last_line(rows) + 1
    added = "\n" + text(name, row, rows.value[0][0].start_mark.column)
    if not lines[at - 1].endswith("\n"):
        added = "\n" + added
    after = "".join([*lines[:at], added.replace("\n", newline), *lines[at:]])
    known = params.load(path)
    wanted = known.model_copy(update={"variants": {**known.variants, name: row}})
    with replacing(path) as beside:
        beside.write_bytes(after.encode("utf-8"))
        if params.load(beside) != wanted:
            raise UserError(f"the rows of {path} do not end where they seem to; paste it by hand.")


def _last_line(node: yaml.Node) -> int:
    """Return the line, counted from 0, on which a node's last content stands."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        parts = last if isinstance(last, tuple) else (last,)
        return max(_last_line(part) for part in parts)
    end = node.end_mark
    block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    return end.line - 1 if block else end.line
