"""User sources, given as a path in `data.source`: detect the format, then read and check."""

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from stages import files as repository
from stages.data import checks, idx_folder, image_folder, npz, pixel_csv
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import SIDES, Data

# Each module has `recognises(path)`, `files(path)` (the files that `load` reads),
# `load(path, data)` and `DESCRIPTION`.
FORMATS = {"idx": idx_folder, "npz": npz, "csv": pixel_csv, "folder": image_folder}
SHOWN = 5  # names in a folder that a message lists


def find(given: str) -> Path | None:
    """Return the absolute path of `data.source`, or None if it does not exist."""
    path = repository.find(given)
    return path if given and os.path.exists(path) else None


def files(path: Path, data: Data) -> list[Path]:
    """Return the files that `load` opens at a path, in an order that depends on names only.

    Raises:
        UserError: as `load`, when the format is unclear or a folder has no classes.
        OSError: when a folder cannot be read.
    """
    return _kind(path, data).files(path)


def load(path: Path, data: Data) -> Source:
    """Read and check the images at a path, in the format of `data.format` or as detected.

    Raises:
        UserError: when the format is unclear, or for anything that its reader or
            `stages.data.checks.check` refuses.
        OSError: when a file cannot be read.
    """
    source = checks.check(_kind(path, data).load(path, data))
    height, width = source.train_images.shape[1:3]
    if height not in SIDES or width not in SIDES:
        raise UserError(
            f"{path} has images of {height} x {width} pixels; give images of {SIDES[0]} to "
            f"{SIDES[-1]} pixels per side."
        )
    # Paths of this machine must not end up in files that DVC tracks.
    last = Path(data.source).name
    return replace(source, name=last if last not in ("", "..") else "images")


def _kind(path: Path, data: Data) -> ModuleType:
    """Return the module for `data.format`, or for the detected format."""
    if data.folder:
        raise UserError(
            f"data.folder is {data.folder!r}, but data.source is already a path; set data.folder "
            "to null."
        )
    if not path.is_dir() and not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder; give one that is.")
    return FORMATS[data.format or _detect(path)]


def _detect(path: Path) -> str:
    """Detect the format of a path."""
    matches = [name for name, kind in FORMATS.items() if kind.recognises(path)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UserError(f"{path} may be {' or '.join(matches)}; set data.format to one of them.")
    what = "is a file of unknown format"
    if path.is_dir():
        names = sorted(os.listdir(path))
        shown = ", ".join(map(ascii, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")
        what = f"is a folder with {shown or 'nothing'}"
    known = "; ".join(kind.DESCRIPTION for kind in FORMATS.values())
    raise UserError(f"{path} {what}; known formats are: {known}.")
