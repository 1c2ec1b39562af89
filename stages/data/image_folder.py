"""User source: a folder of images per class, decoded directly into one array on disk."""

import itertools
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
from PIL.Image import Image
from tqdm import tqdm

from stages.data import decode, listing
from stages.data.source import Source, Split, compacted
from stages.errors import UserError
from stages.files import scratch
from stages.settings.sections import SIDES, Data

DESCRIPTION = listing.DESCRIPTION
BLOCK = 64  # files per task of a thread
SHOWN = 3  # reasons listed in a message


def recognises(path: Path, data: Data) -> bool:
    """Return whether this is a folder with subfolders."""
    return path.is_dir() and listing.has_folders(path)


def files(path: Path, data: Data) -> list[Path]:
    """Return the files with image suffixes."""
    return [path / file for *_, file in listed(path, data).rows]


listed = listing.files


def load(path: Path, data: Data) -> Source:
    """Read all images of a folder; classes are the names of the class folders."""
    return read(path, listed(path, data), data)


def read(
    path: Path, found: listing.Listing, data: Data, opened: Callable[[str], Image] | None = None
) -> Source:
    """Read the listed images into one array for each split.

    `opened` opens an image by its name in `found`, by default the file of that path below `path`.
    Unreadable files are left out and listed in `Source.unreadable`.
    """
    header = opened or (lambda file: decode.header(path / file))
    opened = opened or (lambda file: decode.opened(path / file))
    names = [file for *_, file in found.rows]
    total, size = len(names), data.image_size or _first_size(path, names, opened)
    images = scratch((total, *size, 1 if data.channels == "gray" else 3))
    bits = data.bits or _bits(names, header, opened)
    sizes: dict[int, tuple[int, int]] = {}  # of the rows that can be read, before resizing
    wide: list[int] = []  # rows with grey levels of 16 bits

    def decode_block(start: int) -> int:
        rows = range(start, min(start + BLOCK, total))
        for row in rows:
            file = names[row]
            try:
                image = opened(file)
                own_size = decode.size(image)
                if not data.image_size and own_size != size:
                    raise _size_error(path, file, size, own_size)
                images[row] = decode.decode(image, images.shape[1:], data, bits)
                sizes[row] = own_size
                if decode.is_wide(image):
                    wide.append(row)
            except decode.UnreadableError as error:
                found.left_out[file] = str(error)
        return len(rows)

    with (
        warnings.catch_warnings(action="ignore"),  # about damaged EXIF, which does not matter
        tqdm(desc="reading images", total=total, unit=" files", disable=None) as bar,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for done in threads.map(decode_block, range(0, total, BLOCK)):
            bar.update(done)
    kept = sorted(sizes)
    images = compacted(images, kept)
    rows = [found.rows[row] for row in kept]
    _check_class_folders(path, found, rows)
    _check_splits(path, found, rows)
    if data.channels is None and all((image[..., :1] == image).all() for image in images):
        images = images[..., :1]
    own_sizes = np.array([sizes[row] for row in kept], np.int64)
    notes = [*found.notes]
    if changed := int((own_sizes != size).any(axis=1).sum()):
        notes.append(
            f"{changed:,} of {len(images):,} images were resized to {size[0]} x {size[1]} pixels "
            f"({data.resize})."
        )
    if bits != 16 and wide:
        notes.append(f"Pixels in files of 16 bits were read as numbers of {bits} bits (data.bits).")
    train, test = _splits(images, rows, own_sizes)
    return Source(
        name=path.name,
        licence="not stated",
        classes=found.classes,
        train=train,
        test=test,
        unreadable=dict(sorted(found.left_out.items())),
        notes=tuple(notes),
        bits=bits,
    )


def _splits(
    images: np.ndarray, rows: Sequence[listing.Row], sizes: np.ndarray
) -> tuple[Split, Split | None]:
    """Return the training images, which come first, and the test images, if there are any."""
    names, numbers, files_of_rows = zip(*rows, strict=True)
    labels, count = np.array(numbers, np.int64), names.count("train")
    train, test = (
        Split(images[part], labels[part], files_of_rows[part], None, sizes[part])
        for part in (slice(count), slice(count, None))
    )
    return train, test if "test" in names else None


def summary(left_out: Mapping[str, str]) -> str:
    """Return the most frequent reasons for leaving files out, each with its first file.

    `left_out` has the reason of each file, and is not empty.
    """
    files_of = defaultdict(list)
    for file, reason in sorted(left_out.items()):
        files_of[reason].append(file)
    reasons = sorted(files_of, key=lambda reason: -len(files_of[reason]))
    shown = [_shown(files_of[reason], reason) for reason in reasons[:SHOWN]]
    return ", ".join(shown + ["..."] * (len(reasons) > SHOWN))


def _bits(
    names: Sequence[str], header: Callable[[str], Image], opened: Callable[[str], Image]
) -> int:
    """Infer how many bits the grey levels of 16-bit files have from the largest: 8, 10, 12, ...

    Cameras and scanners write 12 bits into such files, and some programs 8. Without such a file
    the result is 16.
    """

    def is_wide(name: str) -> bool:
        with suppress(decode.UnreadableError), header(name) as image:
            return decode.is_wide(image)
        return False

    def largest(name: str) -> int:
        with suppress(decode.UnreadableError):
            return decode.largest(opened(name))
        return 0

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        wide = itertools.compress(names, threads.map(is_wide, names))
        most = max(threads.map(largest, wide), default=0)
    return next(bits for bits in (8, 10, 12, 14, 16) if most < 2**bits) if most else 16


def _first_size(
    folder: Path, names: Sequence[str], opened: Callable[[str], Image]
) -> tuple[int, int]:
    """Return the height and width of the first image, which all others must share."""
    for file in names:
        with suppress(decode.UnreadableError):
            size = decode.size(opened(file))
            if not all(side in SIDES for side in size):
                raise _size_error(folder, file, size)
            return size
    return SIDES[0], SIDES[0]  # nothing can be read; `_check_splits` reports why


def _size_error(folder: Path, file: str, *sizes: tuple[int, int]) -> UserError:
    shown = " and ".join(f"{height} x {width}" for height, width in sizes)
    return UserError(
        f"{folder} has images of {shown} pixels, see {file!r}; set data.image_size to resize them "
        f"all, from {SIDES[0]} to {SIDES[-1]} pixels per side."
    )


def _check_splits(path: Path, found: listing.Listing, rows: Sequence[listing.Row]) -> None:
    """Refuse a split without any readable image; `rows` are the readable ones."""
    lost = {split for split, *_ in found.rows} - {split for split, *_ in rows}
    for split, _, file in found.rows:
        if split in lost:
            what = {"train": "training", "test": "test"}[split]
            reason = _shown([file], found.left_out[file])
            raise UserError(
                f"{path} has no readable {what} image ({reason}); correct or remove these files."
            )


def _check_class_folders(folder: Path, found: listing.Listing, rows: Sequence[listing.Row]) -> None:
    """Refuse a class folder without any readable image; `rows` are the readable ones."""
    present = {str(parent) for *_, file in rows for parent in PurePosixPath(file).parents}
    for name in found.folders:
        if name not in present:
            faults = sorted(
                item for item in found.left_out.items() if item[0].startswith(f"{name}/")
            )
            reason = f" ({_shown(faults[0][:1], faults[0][1])})" if faults else ""
            raise UserError(
                f"{folder}'s class folder {name!r} has no readable image{reason}; put images there "
                "or remove it."
            )


def _shown(names: Sequence[str], fault: str) -> str:
    """Return a file name, its fault and how many more have it, escaping unprintable names."""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    first, why = (text if text.isprintable() else ascii(text) for text in (names[0], fault))
    return f"{first} {why}{more}"
