"""User source: a folder of images per class, decoded directly into one array."""

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from stages.data import decode, listing
from stages.data.source import Source
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

    Raises:
        UserError: for a folder of another layout, a class without a readable image, or images of
            different sizes if `data.image_size` is null.
        OSError: when a folder cannot be read.
    """
    found = listing.files(path)
    left_out = dict(found.left_out)
    facts = _map_images(decode.inspect, path, found.rows, left_out, "inspecting images")
    rows = [row for row, fact in zip(found.rows, facts, strict=True) if fact is not None]
    facts = [fact for fact in facts if fact is not None]
    _check_classes(path, found, rows, left_out)
    size = data.image_size or _shared_size(path, facts)
    colour = data.channels == "rgb" or (data.channels is None and any(fact[2] for fact in facts))
    images = np.empty((len(rows), *size, 3 if colour else 1), np.uint8)
    read = partial(decode.decode, size=size, channels=images.shape[3], resize=data.resize)
    changed = _map_images(read, path, rows, left_out, "reading images", images)
    kept = [row for row, result in enumerate(changed) if result is not None]
    for to, row in enumerate(kept):  # close gaps in place, to avoid a second copy
        if to != row:
            images[to] = images[row]
    images, rows = images[: len(kept)], [rows[row] for row in kept]
    _check_classes(path, found, rows, left_out)
    if left_out:
        _warn(path.name, left_out)
    if colour and data.channels is None and _is_grey(images):
        images = images[..., :1]
    resized = sum(filter(None, changed))
    note = f"{resized:,} of {len(rows):,} images were resized to {size[0]} x {size[1]} pixels"
    labels = np.array([label for _, label, _ in rows], np.int64)
    files = tuple(file for *_, file in rows)
    train = sum(split == "train" for split, *_ in rows)
    has_test = train < len(rows)
    return Source(
        name=path.name,
        licence="not stated",
        classes=found.classes,
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:] if has_test else None,
        test_labels=labels[train:] if has_test else None,
        train_files=files[:train],
        test_files=files[train:] if has_test else None,
        unreadable=dict(sorted(left_out.items())),
        notes=(f"{note} ({data.resize}).",) if resized else (),
    )


def _map_images(
    function: Callable,
    folder: Path,
    rows: list[tuple[str, int, str]],
    left_out: dict[str, str],
    doing: str,
    images: np.ndarray | None = None,
) -> list:
    """Call `function` on each opened image, with one thread per core and a progress bar.

    Args:
        function: takes an image; with `images`, it returns a pair of pixels and result.
        folder: the base of the relative paths in `rows`.
        rows: (split, label, file) of each image.
        left_out: file -> reason; unreadable files are added.
        doing: the progress bar's text.
        images: uint8 (rows, height, width, channels), filled in place.

    Returns:
        The result for each row, None for unreadable files.
    """
    from tqdm import tqdm

    results = [None] * len(rows)

    def block(start: int) -> int:
        for row in range(start, min(start + BLOCK, len(rows))):
            file = rows[row][2]
            try:
                result = decode.attempt(function, folder / file)
            except decode.UnreadableError as error:
                left_out[file] = str(error)
            else:
                if images is not None:
                    images[row], result = result
                results[row] = result
        return min(BLOCK, len(rows) - start)

    threads = ThreadPoolExecutor(os.cpu_count())
    try:
        with (
            warnings.catch_warnings(),  # about damaged EXIF, which does not matter here
            tqdm(desc=doing, total=len(rows), unit=" files", disable=None) as bar,
        ):
            warnings.simplefilter("ignore")
            for done in threads.map(block, range(0, len(rows), BLOCK)):
                bar.update(done)
    finally:
        threads.shutdown(cancel_futures=True)
    return results


def _check_classes(
    folder: Path,
    found: listing.Listing,
    rows: list[tuple[str, int, str]],
    left_out: dict[str, str],
) -> None:
    """Refuse a class folder without a readable image."""
    present = {(split, label) for split, label, _ in rows}
    for key, name in found.folders.items():
        if key not in present:
            first = next((file for file in sorted(left_out) if file.startswith(f"{name}/")), None)
            reason = f" ({_shown(first, left_out)})" if first else ""
            raise UserError(
                f"{folder}'s class folder {name!r} has no readable image{reason}; put "
                "images there or remove it."
            )


def _shared_size(folder: Path, facts: list[tuple[int, int, bool]]) -> tuple[int, int]:
    """Return the common height and width of all images."""
    sizes = Counter((height, width) for height, width, _ in facts).most_common()
    if len(sizes) == 1 and all(side in SIDES for side in sizes[0][0]):
        return sizes[0][0]
    shown = ", ".join(f"{count:,} of {high} x {wide}" for (high, wide), count in sizes[:SHOWN])
    more = f", and {len(sizes) - SHOWN:,} more sizes" if len(sizes) > SHOWN else ""
    raise UserError(
        f"{folder} has images of these heights and widths: {shown}{more}; set data.image_size to "
        f"resize all, from {SIDES[0]} to {SIDES[-1]} pixels per side."
    )


def _is_grey(images: np.ndarray) -> bool:
    """Return whether all pixels of three-channel images are grey."""
    return all((image[..., :1] == image).all() for image in images)


def _warn(name: str, left_out: dict[str, str]) -> None:
    """Print one line on stderr about files left out."""
    shown = ", ".join(_shown(file, left_out) for file in sorted(left_out)[:SHOWN])
    more = ", ..." if len(left_out) > SHOWN else ""
    print(
        f"foldlab: {len(left_out):,} files of {name} are left out: {shown}{more}", file=sys.stderr
    )


def _shown(file: str, left_out: dict[str, str]) -> str:
    """Return a file name and its fault on one line, escaping unprintable names."""
    return f"{file if file.isprintable() else ascii(file)} {left_out[file]}"
