"""A source that `data.source` gives as a path: which kind it is, and what all kinds share."""

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from stages import entry
from stages.data import checks, idx_folder, image_folder, npz, pixel_csv
from stages.data.source import Source
from stages.errors import UserError
from stages.sections import SIDES, Data

# Each tells by `recognises(path)` whether a path looks like it, lists by `files(path)` what
# `load(path, data)` reads, and says in `KNOWN` what it is.
FORMATS = {"idx": idx_folder, "npz": npz, "csv": pixel_csv, "folder": image_folder}
SHOWN = 5  # names in a folder that a message gives


def find(given: str) -> Path | None:
    """Return where the path that `data.source` gives lies, None if nothing is there."""
    path = entry.find(given)
    return path if given and os.path.exists(path) else None


def files(path: Path, data: Data) -> list[Path]:
    """Return the files that `load` opens at a path, in an order that depends on names only.

    Raises:
        UserError: as `load`, where the format cannot be told or a folder holds no classes.
        OSError: when a folder cannot be read.
    """
    return _kind(path, data).files(path)


def load(path: Path, data: Data) -> Source:
    """Read and check the images at a path, in the format that `data.format` says or it looks like.

    Raises:
        UserError: when the format cannot be told, or for anything that its reader or
            `stages.data.checks.check` refuses.
        OSError: when a file cannot be read.
    """
    source = checks.check(_kind(path, data).load(path, data))
    height, width = source.train_images.shape[1:3]
    if height not in SIDES or width not in SIDES:
        raise UserError(
            f"{path} has images of {height} x {width} pixels; give images of {SIDES[0]} to "
            f"{SIDES[-1]} pixels a side."
        )
    # Where the path lies on this machine must not reach a file that DVC knows.
    last = Path(data.source).name
    return replace(source, name=last if last not in ("", "..") else "images")


def _kind(path: Path, data: Data) -> ModuleType:
    """Return the module of the format that `data.format` says or the path looks like."""
    if data.folder:
        raise UserError(
            f"data.folder is {data.folder!r}, but data.source is a path already; set data.folder "
            "to null."
        )
    if not path.is_dir() and not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder; give one that is.")
    return FORMATS[data.format or _look(path)]


def _look(path: Path) -> str:
    """Return the one format that a path looks like."""
    fitting = [name for name, kind in FORMATS.items() if kind.recognises(path)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(f"{path} may be {' or '.join(fitting)}; say in data.format which it is.")
    what = "is a file of no known format"
    if path.is_dir():
        names = sorted(os.listdir(path))
        shown = ", ".join(map(ascii, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")
        what = f"is a folder that holds {shown or 'nothing'}"
    known = "; ".join(kind.KNOWN for kind in FORMATS.values())
    raise UserError(f"{path} {what}; known are: {known}.")
