"""List the files of a folder of images by class, with the reason for each file left out."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stages.data.source import MOST_CLASSES
from stages.errors import UserError

DESCRIPTION = "a folder with one folder of images per class, or with such in train/ and test/"
SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Not images: ignored silently, like hidden files.
OTHER = frozenset(
    ".cfg .csv .db .doc .docx .dvc .h5 .html .ini .ipynb .json .jsonl .log .mat .md .npy .npz "  # noqa: SIM905
    ".parquet .pdf .pickle .pkl .py .rst .sh .toml .tsv .txt .xls .xlsx .xml .yaml .yml".split()
)
IGNORED_FOLDER = "__MACOSX"
Row = tuple[str, int, str]  # split, class number, file


class Listing(NamedTuple):
    """The contents of a folder of images; paths are relative to it, with "/"."""

    classes: tuple[str, ...]  # the names of the class folders, sorted
    folders: dict[tuple[str, int], str]  # (split, class number) -> class folder
    rows: list[Row]  # train first, by class and path
    left_out: dict[str, str]  # file -> why


def files(top: Path) -> Listing:
    """List a folder of images per class: `CLASS/*`, or `train/CLASS/*` and perhaps `test/CLASS/*`.

    Images in subfolders of a class folder belong to the class. The result does not depend on the
    file system's order. Without train/, the split is "train".
    """
    if not top.is_dir():
        raise UserError(f"{top} is not a folder; give {DESCRIPTION}.")
    below, paths = {}, []  # folder -> its folders; files; all as tuples of names
    for here, subfolders, names in _walk(top):
        below[here] = set(subfolders)
        paths += [(*here, name) for name in names]
    paired = bool(below.get(("train",)))
    if paired and (beside := sorted(below[()] - {"train", "test"})):
        raise UserError(
            f"{top} has train/ and also {beside[0]!r}, which is neither train nor test; move it "
            "out, or merge it into one of them (folds validate within train)."
        )
    if paired and not below.get(("test",), True):
        raise UserError(
            f"{top}/test has no class folders; make one per class, or move test away to hold out "
            "data.test_fraction of train."
        )
    depth = 1 if paired else 0  # of the folders that contain class folders
    class_folders = sorted(folder for folder in below if len(folder) == depth + 1)
    classes = tuple(sorted({folder[-1] for folder in class_folders}))
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise UserError(
            f"{top} has {len(classes):,} class folders; make one per class, 2 to {MOST_CLASSES:,}."
        )
    if unclear := [name for name in classes if not _is_utf8(name)]:
        raise UserError(
            f"{top} has a class folder whose name {os.fsencode(unclear[0])!r} is not UTF-8; "
            "rename it."
        )
    labels = {name: label for label, name in enumerate(classes)}
    rows, left_out, real_top = [], {}, os.path.realpath(top)
    for parts in paths:
        file, in_class = "/".join(parts), parts[depth:-1]
        if not _is_utf8(file):
            file = os.fsencode(file).decode("utf-8", "backslashreplace")
            left_out[file] = "has a name that is not UTF-8"
        elif reason := _reason(os.path.join(top, file), real_top):
            left_out[file] = reason
        elif in_class:
            rows.append((parts[0] if paired else "train", labels[in_class[0]], file))
        else:
            left_out[file] = "lies in no class folder"
    folders = {
        (folder[0] if paired else "train", labels[folder[-1]]): "/".join(folder)
        for folder in class_folders
    }
    rows.sort(key=lambda row: (row[0] == "test", row))
    return Listing(classes, folders, rows, left_out)


def _walk(top: Path) -> Iterator[tuple[tuple[str, ...], list[str], list[str]]]:
    """Yield each visible folder below `top`, its folders, and its possible images and links."""

    def fail(error: OSError) -> None:
        raise error

    for here, folders, names in os.walk(top, onerror=fail):
        names += [name for name in folders if os.path.islink(os.path.join(here, name))]
        folders[:] = {*folders}.difference(names, [IGNORED_FOLDER])
        folders[:] = [name for name in folders if name[0] != "."]
        names = [name for name in names if name[0] != "." and _suffix(name) not in OTHER]
        yield Path(here).relative_to(top).parts, folders, names


def _reason(path: str, real_top: str) -> str:
    """Return why a file is left out, or "" if it has an image suffix."""
    if os.path.islink(path) and not os.path.realpath(path).startswith(real_top + os.sep):
        return "is a link out of the folder"
    if not os.path.isfile(path):
        return "is neither a regular file nor a link to one"
    return "" if _suffix(path) in SUFFIXES else f"has none of the suffixes {', '.join(SUFFIXES)}"


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_utf8(name: str) -> bool:
    """Return whether a name from the file system is UTF-8; Python escapes other bytes."""
    return not any("\udc80" <= character <= "\udcff" for character in name)
