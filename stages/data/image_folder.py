"""User source: a folder of images per class, decoded directly into one array."""

import os
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.data import decode, listing
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import SIDES, Data

DESCRIPTION = listing.DESCRIPTION
BLOCK = 64  # files per task of a thread
SHOWN = 3  # files listed in a message


def recognises(path: Path) -> bool:
    """Return whether this is a folder with subfolders."""
    return path.is_dir() and any(child.is_dir() for child in path.iterdir())


def files(path: Path) -> list[Path]:
    """Return the files with image suffixes."""
    return [path / file for *_, file in listing.files(path).rows]


def load(path: Path, data: Data) -> Source:
    """Read all images of a folder; classes are the names of the class folders.

    Unreadable files are left out and listed in `Source.unreadable` and on stderr.
    """
    found = listing.files(path)
    total, size = len(found.rows), data.image_size or _first_size(path, found.rows)
    images = np.empty((total, *size, 1 if data.channels == "gray" else 3), np.uint8)
    resized: dict[int, bool] = {}  # of the rows that can be read

    def read(start: int) -> int:
        rows = range(start, min(start + BLOCK, total))
        for row in rows:
            file = found.rows[row][2]
            try:
                image = decode.opened(path / file)
                own_size = decode.size(image)
                if not data.image_size and own_size != size:
                    raise _size_error(path, file, size, own_size)
                images[row] = decode.decode(image, images.shape[1:], data.resize)
                resized[row] = own_size != size
            except decode.UnreadableError as error:
                found.left_out[file] = str(error)
        return len(rows)

    with (
        warnings.catch_warnings(action="ignore"),  # about damaged EXIF, which does not matter
        tqdm(desc="reading images", total=total, unit=" files", disable=None) as bar,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for done in threads.map(read, range(0, total, BLOCK)):
            bar.update(done)
    kept = sorted(resized)
    for to, row in enumerate(kept):  # close gaps in place, to avoid a second copy
        images[to] = images[row]
    images = images[: len(kept)]
    rows = [found.rows[row] for row in kept]
    _check_class_folders(path, found, rows)
    if left_out := sorted(found.left_out.items()):
        shown = [_shown(*item) for item in left_out[:SHOWN]] + ["..."] * (len(left_out) > SHOWN)
        message = f"{len(left_out):,} files of {path.name} are left out: {', '.join(shown)}"
        print(f"foldlab: {message}", file=sys.stderr)
    if data.channels is None and all((image[..., :1] == image).all() for image in images):
        images = images[..., :1]
    changed = sum(resized.values())
    note = f"{changed:,} of {len(images):,} images were resized to {size[0]} x {size[1]} pixels"
    splits, numbers, names = zip(*rows, strict=True)
    labels, count = np.array(numbers, np.int64), splits.count("train")
    return Source(
        name=path.name,
        licence="not stated",
        classes=found.classes,
        train=Split(images[:count], labels[:count], names[:count]),
        test=Split(images[count:], labels[count:], names[count:]) if "test" in splits else None,
        unreadable=dict(left_out),
        notes=(f"{note} ({data.resize}).",) if changed else (),
    )


def _first_size(folder: Path, rows: Sequence[listing.Row]) -> tuple[int, int]:
    """Return the height and width of the first image, which all others must share."""
    for *_, file in rows:
        with suppress(decode.UnreadableError):
            size = decode.size(decode.opened(folder / file))
            if not all(side in SIDES for side in size):
                raise _size_error(folder, file, size)
            return size
    return SIDES[0], SIDES[0]  # nothing can be read, which is refused with the reason


def _size_error(folder: Path, file: str, *sizes: tuple[int, int]) -> UserError:
    shown = " and ".join(f"{height} x {width}" for height, width in sizes)
    return UserError(
        f"{folder} has images of {shown} pixels, see {file!r}; set data.image_size to resize all, "
        f"from {SIDES[0]} to {SIDES[-1]} pixels per side."
    )


def _check_class_folders(folder: Path, found: listing.Listing, rows: Sequence[listing.Row]) -> None:
    """Refuse a class folder without any readable image; `rows` are the readable ones."""
    present = {(split, label) for split, label, _ in rows}
    for key, name in found.folders.items():
        if key not in present:
            faults = sorted(
                item for item in found.left_out.items() if item[0].startswith(f"{name}/")
            )
            reason = f" ({_shown(*faults[0])})" if faults else ""
            raise UserError(
                f"{folder}'s class folder {name!r} has no readable image{reason}; put images there "
                "or remove it."
            )


def _shown(file: str, fault: str) -> str:
    """Return a file name and its fault on one line, escaping unprintable names."""
    return f"{file if file.isprintable() else ascii(file)} {fault}"
