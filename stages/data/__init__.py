"""Sources of images: known data sets by name, and the user's own images by path.

To add a data set, write a function that takes the `data` settings and returns a `Source`, in its
own file, and register it in SOURCES. To add a file format, write a module with `DESCRIPTION`,
`recognises(path, data)`, `load(path, data)` and, unless `load` reads just `path`, `files(path,
data)` (what it reads, in an order that depends on names only), and register it in FORMATS. A format
of separate image files also has `listed(path, data)`, which returns a `Listing` for
`image_folder.read`. A format whose images have names without being files sets `NAMED = True`. All
these functions raise a UserError for files that do not fit, and OSError for those that cannot be
read.
"""

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

from stages import files
from stages.data import idx, image_folder, label_file, listing, mnist, npz, parquet, pixel_csv
from stages.data.listing import Listing
from stages.data.source import Source, check
from stages.errors import UserError
from stages.settings.base import nearest
from stages.settings.sections import SIDES, Data

SOURCES: dict[str, Callable[[Data], Source]] = {
    "mnist-5k": mnist.load_5k,
    "mnist": partial(mnist.load, mnist.MNIST),
    "fashion-mnist": partial(mnist.load, mnist.FASHION_MNIST),
}
FORMATS: dict[str, ModuleType] = {
    "idx": idx,
    "npz": npz,
    "csv": pixel_csv,
    "parquet": parquet,
    "labels": label_file,
    "folder": image_folder,
}
ONLY_FOR = {  # setting of `data` -> the formats that use it
    "label_pattern": ("folder",),
    "file_column": ("labels",),
    "label_column": ("labels", "csv", "parquet"),
    "bits": ("folder", "labels", "parquet"),
}
ARCHIVE = re.compile(r"(\.zip|\.tgz|\.tar(\.(gz|bz2|xz))?)$", re.IGNORECASE)
SHOWN = 5  # names in a folder that a message lists


def load(data: Data) -> Source:
    """Read and check the images selected by the settings."""
    path = located("data.source", data.source)
    module = format_of(path, data) if path else None
    used = {"format": bool(path), "folder": not path and data.source != "mnist-5k"}
    used |= {key: module in [FORMATS[one] for one in formats] for key, formats in ONLY_FOR.items()}
    for setting, is_used in used.items():
        if not is_used and (given := getattr(data, setting)):
            raise UserError(
                f"data.{setting} is {given!r}, but data.source {data.source!r} does not use it; "
                "set it to null."
            )
    if path and module:
        source = check(module.load(path, data))
        # Files that DVC tracks must not contain local paths, or call the user's own data MNIST.
        last = Path(data.source).name
        source = replace(source, name="images" if last in ("", "..", *SOURCES) else last)
        height, width = source.train.images.shape[1:3]
        if height not in SIDES or width not in SIDES:
            raise UserError(
                f"{path} has images of {height} x {width} pixels; give images of {SIDES[0]} to "
                f"{SIDES[-1]} pixels per side."
            )
    else:
        source = check(SOURCES[data.source](data))
    *size, channels = source.train.images.shape[1:]
    for setting, wanted, found in (
        ("image_size", data.image_size and list(data.image_size), size),
        ("channels", data.channels, "gray" if channels == 1 else "rgb"),
    ):
        if wanted not in (None, found):
            raise UserError(
                f"data.{setting} is {wanted!r}, but the images of {source.name} have {found!r}, "
                "and only image files are converted; set it to null."
            )
    return source


def find(given: str) -> Path | None:
    """Return the absolute path of `data.source`; None for a known name or if it does not exist."""
    path = files.find(given)
    return path if given and given not in SOURCES and os.path.exists(path) else None


def located(setting: str, given: str) -> Path | None:
    """Return what `find` does; UserError about `setting` if it is not a known name either."""
    path = find(given)
    if path or given in SOURCES:
        return path
    raise UserError(
        f"{setting} is {given!r}, which is neither an existing path (relative to the repository) "
        f"nor a known name; known names are {', '.join(sorted(SOURCES))}.{nearest(given, SOURCES)}"
    )


def format_of(path: Path, data: Data) -> ModuleType:
    """Return the module in FORMATS for `data.format`, or for the detected format of a path."""
    if not path.is_dir() and not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder; give one that is.")
    if data.format and data.format not in FORMATS:
        raise UserError(
            f"data.format is {data.format!r}; known are {', '.join(FORMATS)}."
            f"{nearest(data.format, FORMATS)}"
        )
    if data.format:
        return FORMATS[data.format]
    if data.file_column:  # only a CSV file of labels has one
        return label_file
    if data.label_pattern and path.is_dir():  # of files in a folder, whatever lies beside them
        return image_folder
    matches = [name for name, module in FORMATS.items() if module.recognises(path, data)]
    if len(matches) > 1:
        raise UserError(
            f"{path} may be {' or '.join(matches)}; set data.format to one of them, or give "
            f"`make new` a FORMAT, such as FORMAT={matches[-1]}."
        )
    if matches:
        return FORMATS[matches[0]]
    names = sorted(os.listdir(path)) if path.is_dir() else []
    if any(listing.suffix(name) in listing.SUFFIXES for name in names):
        return image_folder  # its error explains how to give classes if label_pattern is not set
    for archive in [path / name for name in names] or [path]:
        if found := ARCHIVE.search(archive.name):
            old, new = (
                shlex.quote(name) for name in (str(archive), str(archive)[: -len(found[0])])
            )
            is_zip = found[0].lower() == ".zip"
            unpack = f"unzip {old} -d {new}" if is_zip else f"mkdir {new} && tar -xf {old} -C {new}"
            raise UserError(
                f"{archive} is an archive; run `{unpack}` and give {new}, as data.source or to "
                "`make new`."
            )
    if path.suffix.lower() == ".npy":
        raise UserError(f"{path} has no labels; save it with them: {npz.DESCRIPTION}.")
    what = "is a file of unknown format"
    if path.is_dir():
        shown = ", ".join([*map(ascii, names[:SHOWN])] + ["..."] * (len(names) > SHOWN))
        what = f"is a folder with {shown}" if names else "is an empty folder"
    known = "; ".join(module.DESCRIPTION for module in FORMATS.values())
    raise UserError(f"{path} {what}; known formats are: {known}.")


def listed(data: Data) -> Listing | None:
    """Return the image files of a source, before they are read; None if it has no separate ones."""
    path = find(data.source)
    module = format_of(path, data) if path else None
    return module.listed(path, data) if path and module and hasattr(module, "listed") else None


def files_of(path: Path, data: Data) -> list[Path]:
    """Return the files that `load` reads for a path: the file itself, or some in the folder."""
    module = format_of(path, data)
    return module.files(path, data) if hasattr(module, "files") else [path]
