"""Fail a stage whose settings were edited while it ran.

DVC records the settings after a stage has ended. If they had been edited meanwhile, it would take
the results for those of the new settings, also when it restores them from its cache later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stages.errors import UserError


@contextmanager
def unedited(stage: str, item: str = "") -> Iterator[None]:
    """Run a block as a stage of dvc.yaml, for one item of its matrix if it has one.

    Raises:
        UserError: when settings that the stage depends on were edited while the block ran.
    """
    before = _settings(stage, item)
    yield
    after = _settings(stage, item)
    if edited := [path for path in before if after.get(path) != before[path]]:
        name = f"{stage}@{item}" if item else stage
        raise UserError(
            f"params.yaml was edited while {name} ran, so its results are not those of "
            f"{' and '.join(edited)} as they are now; run `dvc repro {name}` again."
        )


def _settings(stage: str, item: str) -> dict[str, Any]:
    """Return the settings that a stage depends on: path -> value; {} outside of the pipeline."""
    pipeline, file = Path("dvc.yaml"), Path("params.yaml")
    if not pipeline.exists() or not file.exists():
        return {}
    described = yaml.load(pipeline.read_text(encoding="utf-8"), yaml.CSafeLoader)["stages"][stage]
    paths = [path.replace("${item.variant}", item) for path in described.get("params", [])]
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except yaml.YAMLError:
        content = None  # in the middle of an edit
    return {path: _value(content, path) for path in paths}


def _value(content: Any, path: str) -> Any:
    for key in path.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content
