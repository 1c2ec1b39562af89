"""A source of your own as a folder of images per class, decoded straight into one array."""

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
from stages.sections import SIDES, Data

KNOWN = listing.KNOWN
BLOCK = 64  # files that a thread takes at once
SHOWN = 3  # files, sizes that a message names


def recognises(path: Path) -> bool:
    """Say whether this is a folder with folders in it."""
    return path.is_dir() and any(child.is_dir() for child in path.iterdir())


def files(path: Path) -> list[Path]:
    """Return the files that are images by their names."""
    return [path / file for *_, file in listing.files(path).rows]


def load(path: Path, data: Data) -> Source:
    """Read all images of a folder; its class folders' names are the classes.

    What cannot be read is left out and listed, in `Source.unreadable` and on stderr. Each file is
    opened twice: first for its size, so that one array can take all pixels.

    Raises:
        UserError: for a folder of another kind, a class without a readable image, or images of
            different sizes where `data.image_size` names none.
        OSError: when a folder cannot be read.
    """
    found = listing.files(path)
    left_out = dict(found.left_out)
    looks = _each(decode.look, path, found.rows, left_out, "looking at images")
    rows = [row for row, look in zip(found.rows, looks, strict=True) if look is not None]
    looks = [look for look in looks if look is not None]
    _check_classes(path, found, rows, left_out)
    size = data.image_size or _shared_size(path, looks)
    colour = data.channels == "rgb" or (data.channels is None and any(look[2] for look in looks))
    images = np.empty((len(rows), *size, 3 if colour else 1), np.uint8)
    read = partial(decode.decode, size=size, channels=images.shape[3], resize=data.resize)
    changed = _each(read, path, rows, left_out, "reading images", images)
    kept = [row for row, known in enumerate(changed) if known is not None]
    for to, row in enumerate(kept):  # close the gaps in place: no second copy of all images
        if to != row:
            images[to] = images[row]
    images, rows = images[: len(kept)], [rows[row] for row in kept]
    _check_classes(path, found, rows, left_out)
    if left_out:
        _warn(path.name, left_out)
    if colour and data.channels is None and _is_grey(images):
        images = images[..., :1]
    resized = sum(filter(None, changed))
    said = f"{resized:,} of {len(rows):,} images were brought to {size[0]} x {size[1]} pixels"
    labels = np.array([label for _, label, _ in rows], np.int64)
    files = tuple(file for *_, file in rows)
    train = sum(split == "train" for split, *_ in rows)
    tested = train < len(rows)
    return Source(
        name=path.name,
        licence="not stated",
        classes=found.classes,
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:] if tested else None,
        test_labels=labels[train:] if tested else None,
        train_files=files[:train],
        test_files=files[train:] if tested else None,
        unreadable=dict(sorted(left_out.items())),
        notes=(f"{said} ({data.resize}).",) if resized else (),
    )


def _each(
    function: Callable,
    folder: Path,
    rows: list[tuple[str, int, str]],
    left_out: dict[str, str],
    doing: str,
    images: np.ndarray | None = None,
) -> list:
    """Call `function` with each opened image, on one thread a core, and show the progress.

    Args:
        function: takes an image; where `images` is given, it returns pixels for its row of that
            and something else.
        folder: what the files in `rows` are relative to.
        rows: (split, label, file) of each image.
        left_out: file -> why; files that cannot be read are added.
        doing: the progress bar's text.
        images: uint8 (rows, height, width, channels), filled.

    Returns:
        What the function returned (apart from pixels) for each row, None for what cannot be read.
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
            warnings.catch_warnings(),  # of damaged EXIF, which concerns nobody here
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
    """Refuse a class folder without an image that can be read."""
    there = {(split, label) for split, label, _ in rows}
    for key, name in found.folders.items():
        if key not in there:
            first = next((file for file in sorted(left_out) if file.startswith(f"{name}/")), None)
            reason = f" ({_shown(first, left_out)})" if first else ""
            raise UserError(
                f"{folder}'s class folder {name!r} holds no image that can be read{reason}; put "
                "images there or take it away."
            )


def _shared_size(folder: Path, looks: list[tuple[int, int, bool]]) -> tuple[int, int]:
    """Return the height and width that all images share, or refuse to guess them."""
    sizes = Counter((height, width) for height, width, _ in looks).most_common()
    if len(sizes) == 1 and all(side in SIDES for side in sizes[0][0]):
        return sizes[0][0]
    shown = ", ".join(f"{count:,} of {high} x {wide}" for (high, wide), count in sizes[:SHOWN])
    more = f", and {len(sizes) - SHOWN:,} sizes more" if len(sizes) > SHOWN else ""
    raise UserError(
        f"{folder} holds images of these heights and widths: {shown}{more}; set data.image_size to "
        f"the one to bring all to, from {SIDES[0]} to {SIDES[-1]} pixels a side."
    )


def _is_grey(images: np.ndarray) -> bool:
    """Say whether no pixel of images in three channels has a colour."""
    return all((image[..., :1] == image).all() for image in images)


def _warn(name: str, left_out: dict[str, str]) -> None:
    """Say in one line on stderr which files are left out."""
    shown = ", ".join(_shown(file, left_out) for file in sorted(left_out)[:SHOWN])
    more = ", ..." if len(left_out) > SHOWN else ""
    print(
        f"foldlab: {len(left_out):,} files of {name} are left out: {shown}{more}", file=sys.stderr
    )


def _shown(file: str, left_out: dict[str, str]) -> str:
    """Name a file with its fault, in one line whatever characters the name has."""
    return f"{file if file.isprintable() else ascii(file)} {left_out[file]}"
