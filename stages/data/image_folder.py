"""User source: a folder of images per class, decoded directly into one array."""

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from stages.data import decode, listing
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import SIDES, Data

DESCRIPTION = listing.DESCRIPTION
BLOCK = 64  # files per task of a thread
SHOWN = 3  # files or sizes listed in a message


def recognises(path: Path) -> bool:
    """Return whether this is a folder with subfolders."""
    return path.is_dir() and any(child.is_dir() for child in path.iterdir())


def files(path: Path) -> list[Path]:
    """Return the files with image suffixes."""
    return [path / file for *_, file in listing.files(path).rows]


def load(path: Path, data: Data) -> Source:
    """Read all images of a folder; classes are the names of the class folders.

    Unreadable files are left out and listed in `Source.unreadable` and on stderr. Each file is
    opened twice, first for its size, so that one array can be allocated for all pixels.
    """
    found, facts = _map_images(
        lambda _, image: decode.inspect(image), path, listing.files(path), "inspecting images"
    )
    size = data.image_size or _shared_size(path, facts.values())
    may_have_colour = data.channels is None and any(colour for *_, colour in facts.values())
    channels = 3 if data.channels == "rgb" or may_have_colour else 1
    images = np.empty((len(found.rows), *size, channels), np.uint8)

    def read(row: int, image: Image.Image) -> bool:
        images[row], resized = decode.decode(image, images.shape[1:], data.resize)
        return resized

    found, resized = _map_images(read, path, found, "reading images")
    for to, row in enumerate(resized):  # close gaps in place, to avoid a second copy
        if to != row:
            images[to] = images[row]
    images = images[: len(resized)]
    if left_out := sorted(found.left_out.items()):
        shown = [_shown(*item) for item in left_out[:SHOWN]] + ["..."] * (len(left_out) > SHOWN)
        message = f"{len(left_out):,} files of {path.name} are left out: {', '.join(shown)}"
        print(f"foldlab: {message}", file=sys.stderr)
    if may_have_colour and all((image[..., :1] == image).all() for image in images):
        images = images[..., :1]
    changed = sum(resized.values())
    note = f"{changed:,} of {len(images):,} images were resized to {size[0]} x {size[1]} pixels"
    splits, numbers, names = zip(*found.rows, strict=True)
    labels, count = np.array(numbers, np.int64), splits.count("train")
    train = Split(images[:count], labels[:count], names[:count])
    return Source(
        name=path.name,
        licence="not stated",
        classes=found.classes,
        train=train,
        test=Split(images[count:], labels[count:], names[count:]) if "test" in splits else None,
        unreadable=dict(left_out),
        notes=(f"{note} ({data.resize}).",) if changed else (),
    )


def _map_images(
    function: Callable[[int, Image.Image], Any], folder: Path, found: listing.Listing, doing: str
) -> tuple[listing.Listing, dict[int, Any]]:
    """Return `found` without unreadable files, and row -> `function(row, image)` for the others.

    Uses one thread per core; `doing` labels the progress bar. Refuses a class without any image.
    """
    results: dict[int, Any] = {}
    total = len(found.rows)

    def block(start: int) -> int:
        rows = range(start, min(start + BLOCK, total))
        for row in rows:
            file = found.rows[row][2]
            try:
                results[row] = decode.attempt(partial(function, row), folder / file)
            except decode.UnreadableError as error:
                found.left_out[file] = str(error)
        return len(rows)

    with (
        warnings.catch_warnings(),  # about damaged EXIF, which does not matter here
        tqdm(desc=doing, total=total, unit=" files", disable=None) as bar,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        warnings.simplefilter("ignore")
        for done in threads.map(block, range(0, total, BLOCK)):
            bar.update(done)
    results = dict(sorted(results.items()))
    kept = [found.rows[row] for row in results]
    present = {(split, label) for split, label, _ in kept}
    for key, name in found.folders.items():
        if key not in present:
            first = min(
                (file for file in found.left_out if file.startswith(f"{name}/")), default=""
            )
            reason = f" ({_shown(first, found.left_out[first])})" if first else ""
            raise UserError(
                f"{folder}'s class folder {name!r} has no readable image{reason}; put images there "
                "or remove it."
            )
    return found._replace(rows=kept), results


def _shared_size(folder: Path, facts: Iterable[tuple[int, int, bool]]) -> tuple[int, int]:
    """Return the common height and width of all images."""
    sizes = Counter((height, width) for height, width, _ in facts).most_common()
    if len(sizes) == 1 and all(side in SIDES for side in sizes[0][0]):
        return sizes[0][0]
    shown = [f"{count:,} of {high} x {wide}" for (high, wide), count in sizes[:SHOWN]]
    shown += ["..."] * (len(sizes) > SHOWN)
    raise UserError(
        f"{folder} has images of these heights and widths: {', '.join(shown)}; set data.image_size "
        f"to resize all, from {SIDES[0]} to {SIDES[-1]} pixels per side."
    )


def _shown(file: str, fault: str) -> str:
    """Return a file name and its fault on one line, escaping unprintable names."""
    return f"{file if file.isprintable() else ascii(file)} {fault}"
