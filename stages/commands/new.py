"""`python -m stages new DATA`, which `make new` runs: set up params.yaml for your own images."""

import contextlib
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from stages.commands import estimate, new_settings
from stages.data import SOURCES, image_folder, look, near_duplicates, watch
from stages.data.look import Look
from stages.data.source import Source
from stages.engine import resolve
from stages.errors import UserError
from stages.files import replacing, root, write_bytes
from stages.search import rows
from stages.settings import params
from stages.settings.base import validate
from stages.settings.params import Params
from stages.settings.sections import Data, Variant

PARAMS, OLD = Path("params.yaml"), Path("params.yaml.old")


def new(data: str, data_format: str | None = None) -> None:
    """Look at the images, print what was found, and write the settings for them.

    The old params.yaml is kept as params.yaml.old. `data` is a folder or a file of images, and
    `data_format` the setting `data.format`, if it cannot be detected from the files.

    Raises:
        UserError: if the images cannot be used as they are.
    """
    earlier = params.load()
    settings = earlier.data
    path = Path(data).expanduser().absolute()
    if not data:
        raise UserError("DATA is missing; give a folder or a file: make new DATA=data/photos.")
    if not path.exists():
        known = "; for a known data set, set data.source instead" * (data in SOURCES)
        raise UserError(f"DATA is {data!r}, which does not exist; give a folder or a file{known}.")
    top = root().absolute()
    given = str(path.relative_to(top)) if path.is_relative_to(top) else str(path)
    chosen: dict[str, Any] = {"source": given, "format": data_format}

    def current() -> Data:
        reset = dict.fromkeys(new_settings.RESET)
        return validate(Data, settings.model_dump() | reset | chosen, "data")

    chosen["watch"] = watch.best(current())
    found = look.look(current())
    side = new_settings.side(found.sizes, sum(found.train) + sum(found.test))
    if side and found.resizable:
        chosen["image_size"] = side
    found, source = look.decoded(current(), found) if look.is_quick(found) else (found, None)
    print("\n".join(_lines(data, found)), flush=True)
    height, width = (side, side) if side and found.resizable else found.sizes[0].tolist()
    shrink = new_settings.shrink(side, height, width)
    compared = new_settings.rows(height, width, shrink, found.classes)
    train_share = 1.0 if any(found.test) else 1 - settings.test_fraction
    sections = new_settings.sections(found, chosen, [*compared], train_share)
    large = min(height, width) >= near_duplicates.LEAST
    near = _near(found, source, settings.resize) if large else []
    for line in (*near, *_folds(found, sections["folds"], train_share), *_reset(earlier)):
        print(line)
    before, after = PARAMS.read_bytes(), _new_content(compared, sections, found.classes)
    if after != before:  # repeating the command keeps the copy of the first file
        write_bytes(OLD, before)
        write_bytes(PARAMS, after)
    print(f"\nWrote {PARAMS}; the previous one is kept as {OLD}.", flush=True)
    shape = (height, width, 3 if found.colour else 1)
    minutes = max(1, round(estimate.minutes(found, compared, shape, shrink)))
    print(f"`make repro` compares {', '.join(compared)}, which takes about {minutes} min here.")


def _lines(source: str, found: Look) -> list[str]:
    """Return what was found, one fact per line."""
    total = sum(found.train) + sum(found.test)
    lines = [f"{source}: {total:,} images in {len(found.classes)} classes"]
    width = max(map(len, found.classes))
    with_test = any(found.test)
    for name, train, test in zip(found.classes, found.train, found.test, strict=True):
        lines.append(
            f"  {name:{width}}  {train:>7,}" + f" to train, {test:>7,} to test" * with_test
        )
    heights, widths = found.sizes.T
    if len(np.unique(found.sizes, axis=0)) == 1:
        lines.append(f"size: {heights[0]} x {widths[0]} pixels")
    else:
        middle = "{:.0f} x {:.0f}".format(*np.median(found.sizes, axis=0))
        lines.append(
            f"sizes: {heights.min()} x {widths.min()} to {heights.max()} x {widths.max()} pixels, "
            f"median {middle}"
        )
    lines.append(f"colour: {'yes' if found.colour else 'no'}")
    if (ratio := new_settings.imbalance(found)) > new_settings.UNEVEN:
        lines.append(f"imbalance: the largest class is {ratio:.3g} times as large as the smallest")
    if found.equal:
        first = " and ".join(found.equal[0][:2])
        lines.append(f"files with the same content: {_groups(found.equal)}, such as {first}")
    if found.in_two_classes:
        first = " and ".join(found.in_two_classes[0][:2])
        count = _groups(found.in_two_classes)
        lines.append(f"same content in two classes: {count}, such as {first}")
    if found.left_out:
        reasons = image_folder.summary(found.left_out)
        lines.append(f"files left out: {len(found.left_out):,}: {reasons}")
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _groups(found: Sequence) -> str:
    return f"{len(found):,} group{'s' * (len(found) != 1)}"


def _folds(found: Look, folds: Mapping[str, Any], train_share: float) -> list[str]:
    """Return a line that says why there are fewer folds than usual, if there are."""
    if folds["count"] == new_settings.FOLDS:
        return []
    (name, size), usual = new_settings.smallest(found), new_settings.FOLDS
    times = f", repeated {folds['repeats']} times" * (folds["repeats"] > 1)
    return [
        f"folds: {folds['count']}{times}, because class {name} has only {size:,} different "
        f"images; {usual} folds need {math.ceil(usual / train_share)} of each class"
    ]


def _reset(earlier: Params) -> list[str]:
    """Return a line for each file of earlier settings, since it may not fit these images."""
    named = {"folds.group": earlier.folds.group, "data.corrections": earlier.data.corrections}
    return [
        f"{setting} was {file!r} and is now null: set it again if it is about these images"
        for setting, file in named.items()
        if file
    ]


def _near(found: Look, source: Source | None, resize: str) -> list[str]:
    """Return one line per fact about near duplicates, or that `make repro` looks for them."""
    if source is None:
        searched = sum(found.train) + sum(found.test) <= near_duplicates.MOST
        return ["near duplicates: `make repro` looks for them"] * searched
    return [
        f"{kind}: {len(groups):,}, such as {groups[0][0]} and {groups[0][-1]}"
        for kind, groups in look.near(source, resize).items()
        if groups
    ]


def _new_content(
    variants: Mapping[str, Mapping[str, Any]],
    sections: Mapping[str, Mapping[str, Any]],
    classes: Sequence[str],
) -> bytes:
    """Return params.yaml with new variants and settings, once they are checked."""
    before = PARAMS.read_bytes()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_bytes(PARAMS, before)
        for name, row in variants.items():
            wanted, rows_now = validate(Variant, row, f"variants.{name}"), params.load().variants
            if name not in rows_now:
                rows.add(name, wanted)
            elif _architecture(rows_now[name]) != _architecture(wanted):
                raise UserError(
                    f"variants.{name} is a row of your own, but this command writes one with that "
                    "name; rename yours in params.yaml and run the command again."
                )
        _write(sections, {name: row.get("shrink", 1) for name, row in variants.items()})
        after, settings = PARAMS.read_bytes(), params.load()
    resolve.check(settings)
    for name in variants:  # a row of an earlier call may mirror images
        resolve.check_flips(resolve.recipe(settings, name), classes)
    return after


def _architecture(row: Variant) -> str | None:
    return row.architecture.name if row.architecture else None  # none for an ensemble


def _write(sections: Mapping[str, Mapping[str, Any]], shrink: Mapping[str, int]) -> None:
    """Change settings and the rows' `shrink` in params.yaml, and keep its comments."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    content = yaml.load(PARAMS)
    for name, section in sections.items():
        if not content.get(name):
            content[name] = {}
        for key, value in section.items():
            if isinstance(value, list) and isinstance(content[name].get(key), list):
                content[name][key][:] = value  # in place, to keep its comment
            else:
                content[name][key] = value
    for name, factor in shrink.items():  # rows of an earlier call may be for images of another size
        if content["variants"][name].get("shrink", 1) != factor:
            content["variants"][name]["shrink"] = factor
    with replacing(PARAMS) as temporary:
        yaml.dump(content, temporary)
