"""Write rows of `variants` as YAML, and add them to params.yaml without changing the rest."""

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


def written(row: Variant) -> Variant:
    """Return the row without null overrides that have no effect."""
    return row.model_copy(update={"train": row.overrides})


def text(name: str, row: Variant, indent: int = 2) -> str:
    """Return a row as lines of params.yaml, indented by `indent` spaces."""
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
    """Return a value as YAML in one line."""
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
    """Quotes text that YAML parsers might read as a number or a date."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, "'" if text[:1] in "+-.0123456789" else None
    ),
)


def free_name(settings: Params, wanted: str) -> str:
    """Return `wanted`, followed by the first free number if a row has that name."""
    names = (wanted, *(f"{wanted}_{number}" for number in range(2, len(settings.variants) + 3)))
    return next(name for name in names if name not in settings.variants)


def same(settings: Params, row: Variant) -> str | None:
    """Return the name of a row with the same resolved settings as `row`, or None."""
    wanted = _resolved(settings, row)
    trained = {name: other for name, other in settings.variants.items() if not other.ensemble}
    equal = (name for name, other in trained.items() if _resolved(settings, other) == wanted)
    return next(equal, None)


def _resolved(settings: Params, row: Variant) -> Recipe:
    return recipe(settings.model_copy(update={"variants": {"a": row}}), "a")


def add(name: str, row: Variant, path: Path = Path("params.yaml")) -> None:
    """Append a row to `variants`; every other byte of the file stays the same.

    Args:
        name: a new name.
        row: the row, as returned by `written`.
        path: params.yaml.

    Raises:
        UserError: when `variants` is written in braces, or the row cannot be inserted as text.
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
            f"{path} has variants in braces, where a row cannot be added automatically; "
            "write one row per line, or paste the row by hand."
        )
    end = _last_line(rows) + 1
    added = "\n" + text(name, row, rows.value[0][0].start_mark.column)
    if not lines[end - 1].endswith("\n"):
        added = "\n" + added
    after = "".join([*lines[:end], added.replace("\n", newline), *lines[end:]])
    settings = params.load(path)
    expected = settings.model_copy(update={"variants": {**settings.variants, name: row}})
    with replacing(path) as temporary:
        temporary.write_bytes(after.encode("utf-8"))
        if params.load(temporary) != expected:
            raise UserError(f"could not find the end of variants in {path}; paste the row by hand.")


def _last_line(node: yaml.Node) -> int:
    """Return the last line of a node's content, counted from 0."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        parts = last if isinstance(last, tuple) else (last,)
        return max(_last_line(part) for part in parts)
    end = node.end_mark
    block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    return end.line - 1 if block else end.line
