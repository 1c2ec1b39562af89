"""What benchmarks run on: their command line, settings, and folders with prepared data."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks import measured, processes
from stages import files
from stages.errors import UserError

ROOT = measured.HERE.parent
SHIPPED = measured.HERE / "params.yaml"  # the repository's own may differ
# For full MNIST: settings of all rows, and each row's own settings and goals.
MNIST = yaml.safe_load((measured.HERE / "accuracy.yaml").read_text(encoding="utf-8"))


def parser(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the arguments that all benchmarks share; `about` is their docstring."""
    result = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    result.add_argument("--quick", action="store_true", help="try the command in seconds")
    result.add_argument("--data", type=Path, help="of MNIST; else FOLDLAB_DATA, or a download")
    result.add_argument(
        "--folder", type=Path, default=measured.RECORDS, help="where to write the record"
    )
    return result


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder to work in; a failure inside ends the command with one sentence."""
    with tempfile.TemporaryDirectory() as name:
        try:
            yield Path(name).resolve()
        except (OSError, UserError) as error:
            sys.exit(f"foldlab: {error}")


def defaults() -> dict[str, Any]:
    """Return the settings that Foldlab is shipped with."""
    return yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `over` into a copy of `base`, recursively; a named choice is replaced as a whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        whole = key in ("architecture", "optimizer", "schedule", "early_stopping")
        result[key] = merged(result[key], value) if both and not whole else value
    return result


def on_mnist(*rows: str, **over: Any) -> dict[str, Any]:
    """Return the shipped settings for full MNIST, comparing only `rows`, with `over` on top."""
    settings = merged(defaults(), MNIST["settings"])
    for row in rows:
        settings = merged(settings, MNIST["rows"].get(row, {}).get("settings", {}))
    settings["compare"] |= {"variants": [*rows], "baseline": rows[0]}
    return merged(settings, over)


def data(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the section `data`: MNIST, from --data if given; 200 digits for --quick."""
    if chosen.quick:
        return {"source": "mnist-5k", "limit": 200}
    folder = str(chosen.data.resolve()) if chosen.data else None
    return {"source": "mnist", "folder": folder, "limit": getattr(chosen, "images", None)}


def write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write params.yaml into a folder."""
    with files.replacing(folder / "params.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(dict(settings), sort_keys=False), encoding="utf-8")


def prepare(folder: Path, settings: Mapping[str, Any], prepared: Path | None = None) -> Path:
    """Make and return a folder with settings and prepared data, linked from `prepared` if given."""
    folder.mkdir(parents=True)
    write_settings(folder, settings)
    if prepared:
        (folder / "data").symlink_to(prepared / "data", target_is_directory=True)
    else:
        processes.run_stage(folder, "prepare")
    return folder


def evaluated(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Make and return a folder in which `basic` is trained and evaluated."""
    prepare(folder, settings)
    for stage in ("train", "evaluate"):
        processes.run_stage(folder, stage, "basic")
    return folder
