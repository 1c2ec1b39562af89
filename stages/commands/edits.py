"""Fail a stage whose settings or code were edited while it ran.

DVC records settings and code after a stage has ended. If they were edited meanwhile, it would
attribute the results to the new ones, and later restore them from its cache as such.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from stages.errors import UserError
from stages.files import read_json, sha256, write_json

CODE = (".py", ".j2", ".js")  # suffixes of the files in stages/, templates included
SETTINGS = Path("params.yaml")
SHOWN = 3  # names of edited files in a message


@contextmanager
def unedited(stage: str, item: str = "", *, is_later: bool = False) -> Iterator[None]:
    """Run a block as a stage of dvc.yaml, for one item of its matrix if it has one.

    If `is_later`, the block is a later command of a stage that has several. When DVC runs it, the
    edits between the commands count too.

    Raises:
        UserError: when settings or code that the stage depends on were edited while the block ran.
    """
    described = _described(stage)
    before = _state(described, item)
    begun = Path(f".foldlab/running/{stage}.json")  # what the first of several commands found
    if is_later and "DVC_STAGE" in os.environ and begun.exists():
        before = read_json(begun)
    yield
    after = _state(described, item)
    edited = [name for name in before | after if before.get(name) != after.get(name)]
    name = f"{stage}@{item}" if item else stage
    if code := [path for path in edited if "/" in path]:
        verb = "was" if len(code) == 1 else "were"
        if len(code) > SHOWN:
            code[SHOWN:] = [f"{len(code) - SHOWN} more"]
        raise UserError(
            f"{' and '.join(code)} {verb} edited while {name} ran, so its results are not those of "
            f"the current code; run `dvc repro {name}` again."
        )
    if edited:
        raise UserError(
            f"params.yaml was edited while {name} ran, so its results are not those of the current "
            f"{' and '.join(edited)}; run `dvc repro {name}` again."
        )
    if isinstance(described.get("cmd"), list):
        write_json(begun, before)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return path -> SHA-256 of each file of code among the paths and in folders below them.

    Hidden files and broken links are skipped: editors create them.
    """
    found = {}
    for top in paths:
        for path in sorted([top, *top.rglob("*.*")]):
            is_hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
            if path.suffix in CODE and not is_hidden and path.is_file():
                with suppress(FileNotFoundError):  # it is being replaced at this moment
                    found[path.as_posix()] = sha256(path)
    return found


def _described(stage: str) -> dict[str, Any]:
    """Return what dvc.yaml says about a stage; {} outside the pipeline."""
    pipeline = Path("dvc.yaml")
    if not pipeline.exists() or not SETTINGS.exists():
        return {}
    return yaml.load(pipeline.read_text(encoding="utf-8"), yaml.CSafeLoader)["stages"][stage]


def _state(described: dict[str, Any], item: str) -> dict[str, Any]:
    """Return what a stage depends on: setting -> value, and file of code -> SHA-256."""
    paths = [path.replace("${item.variant}", item) for path in described.get("params", [])]
    content = None  # also in the middle of an edit
    with suppress(FileNotFoundError, yaml.YAMLError):
        content = yaml.load(SETTINGS.read_text(encoding="utf-8"), yaml.CSafeLoader)
    settings = {path: _value(content, path) for path in paths}
    code = [Path(path) for path in described.get("deps", []) if path.startswith("stages/")]
    return settings | digests(code)


def _value(content: Any, path: str) -> Any:
    for key in path.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content
