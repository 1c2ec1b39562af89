"""Write rows of `variants` as YAML, and add them to params.yaml without changing the rest."""

import itertools
from pathlib import Path
from typing import Any

import yaml

from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.files import replacing
from stages.settings import params
from stages.settings.params import Params
from stages.settings.sections import Variant
from stages.training.recipe import Recipe


def written(row: Variant) -> Variant:
    """Return the row without null overrides that have no effect."""
    return row.model_copy(update={"train": row.overrides})


def text(name: str, row: Variant, indent: int = 2) -> str:
    """Return a row as lines of params.yaml, indented by `indent` spaces."""
    lines = [f"{name}:"]
    if row.description:
        lines.append(f"  description: {_inline(row.description)}")
    architecture = {row.architecture.name: row.architecture.arguments}
    if not row.architecture.arguments:
        architecture = row.architecture.name
    lines.append(f"  architecture: {_inline(architecture)}")
    if row.augmentation:
        lines.append("  augmentation:")
        for op in row.augmentation:
            arguments = f": {_inline(op.arguments)}" if op.arguments else ""
            lines.append(f"    - {op.name}{arguments}")
    if row.train:
        lines += ["  train:", *(f"    {key}: {_inline(v)}" for key, v in row.train.items())]
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


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
    numbered = (f"{wanted}_{number}" for number in itertools.count(2))
    names = itertools.chain([wanted], numbered)
    return next(name for name in names if name not in settings.variants)


def same(settings: Params, row: Variant) -> str | None:
    """Return the name of a row with the same resolved settings as `row`, or None."""

    def resolved(row: Variant) -> Recipe:
        return recipe(settings.model_copy(update={"variants": {"a": row}}), "a")

    rows = {name: other for name, other in settings.variants.items() if not other.ensemble}
    return next((name for name, other in rows.items() if resolved(other) == resolved(row)), None)


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
    sections = yaml.compose(before, yaml.SafeLoader).value
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
    settings = params.load(path)
    expected = settings.model_copy(update={"variants": {**settings.variants, name: row}})
    with replacing(path) as temporary:
        temporary.write_bytes(after.encode("utf-8"))
        if params.load(temporary) != expected:
            raise UserError(f"could not find the end of variants in {path}; paste the row by hand.")
