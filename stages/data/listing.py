"""List the files of a folder of images by class, with the reason for each file left out."""

import os
import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from stages.data import split_folders
from stages.data.source import MOST_CLASSES
from stages.data.split_folders import Folder
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = "a folder with a subfolder of images per class, or train/ and test/ with such"
SUFFIXES = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
# Ignored silently, like hidden files.
NOT_IMAGES = frozenset(
    ".cfg .csv .db .doc .docx .dvc .h5 .html .ini .ipynb .json .jsonl .log .mat .md .npy .npz "  # noqa: SIM905
    ".parquet .pdf .pickle .pkl .py .rst .sh .toml .tsv .txt .xls .xlsx .xml .yaml .yml".split()
)
IGNORED_FOLDER = "__MACOSX"
CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")  # a file in DVC's cache
Row = tuple[str, int, str]  # split, class number, file


class Listing(NamedTuple):
    """The contents of a folder of images; paths are relative to it, with "/"."""

    classes: tuple[str, ...]  # sorted, in Unicode form NFC
    folders: tuple[str, ...]  # the class folders; each must have an image
    rows: list[Row]  # train first, by class and path
    left_out: dict[str, str]  # file -> why
    notes: tuple[str, ...] = ()  # what a user might not expect, one sentence each


def files(top: Path, data: Data) -> Listing:
    """List a folder of images per class: `CLASS/*`, or `train/CLASS/*` and perhaps `test/CLASS/*`.

    Images in subfolders of a class folder belong to the class. With `data.label_pattern`, the class
    is part of the file's path instead. The result does not depend on the file system's order.
    `stages.data.split_folders` finds the splits.

    Raises:
        UserError: for an unclear layout, names that are not UTF-8, or links that are not followed.
        OSError: when a folder cannot be read.
    """
    if not top.is_dir():
        raise UserError(f"{top} is not a folder; give {DESCRIPTION}.")
    subfolders, paths = walk(top, data)
    with_images = {parts[:-1] for parts in paths if suffix(parts[-1]) in SUFFIXES}
    roots, notes = split_folders.find(top, subfolders, with_images, data)
    class_folders = [
        (*root, name) for root in roots for name in subfolders[root] if not data.label_pattern
    ]
    if unclear := [folder for folder in class_folders if not is_utf8(folder[-1])]:
        raise UserError(
            f"{top} has a class folder whose name {os.fsencode(unclear[0][-1])!r} is not UTF-8; "
            "rename it."
        )
    left_out, found = {}, []
    for parts in paths:
        file = "/".join(parts)
        root = next((parts[:depth] for depth in range(len(parts)) if parts[:depth] in roots), None)
        if not is_utf8(file):
            file = os.fsencode(file).decode("utf-8", "backslashreplace")
            left_out[file] = "has a name that is not UTF-8"
        elif why := reason(top / file, top, data):
            left_out[file] = why
        elif root is None:
            left_out[file] = "is in no folder of training or test images"
        elif name := _class(parts[len(root) :], data.label_pattern):
            found.append((roots[root], name, file))
        elif data.label_pattern:
            raise UserError(
                f"data.label_pattern is {data.label_pattern!r}, which does not match {file!r}; "
                "correct the pattern, or move the file out."
            )
        else:
            left_out[file] = "is in no class folder"
    names = {name for _, name, _ in found} | {nfc(folder[-1]) for folder in class_folders}
    classes = tuple(sorted(names))
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise _count_error(top, classes, bool(class_folders), data)
    labels = {name: label for label, name in enumerate(classes)}
    rows = [(split, labels[name], file) for split, name, file in found]
    rows.sort(key=lambda row: (row[0] == "test", row))
    folders = tuple(sorted("/".join(folder) for folder in class_folders))
    return Listing(classes, folders, rows, left_out, (*notes, *alike(classes)))


def _count_error(top: Path, classes: tuple[str, ...], has_folders: bool, data: Data) -> UserError:
    """Return the error to raise for too few or too many classes."""
    count = f"{len(classes):,} {'classes' if data.label_pattern else 'class folders'}"
    if len(classes) == 1:
        count = f"only the class {classes[0]!r}"
    if data.label_pattern:
        remedy = "correct data.label_pattern, which must give"
    elif has_folders:
        remedy = "make one folder for each of"
    else:
        count = "no class folders"
        remedy = (
            "set data.label_pattern if file names contain the class, name a CSV file of "
            "file,label as data.source, or make one folder for each of"
        )
    return UserError(f"{top} has {count}; {remedy} 2 to {MOST_CLASSES:,} classes.")


def _class(parts: Folder, pattern: str | None) -> str:
    """Return the class of a file, given its path below its split's folder; "" if it has none."""
    if pattern is None:
        return nfc(parts[0]) if len(parts) > 1 else ""
    found = re.search(pattern, "/".join(parts))
    return nfc(found[1] or "").strip() if found else ""


def has_folders(top: Path) -> bool:
    """Return whether a folder has subfolders that are not ignored."""
    return any(child.is_dir() and _is_visible(child.name) for child in top.iterdir())


def _is_visible(folder: str) -> bool:
    return folder[0] != "." and folder != IGNORED_FOLDER


def alike(classes: tuple[str, ...]) -> list[str]:
    """Return a sentence for each set of classes whose names differ only in case or blanks."""
    of_form: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        of_form["".join(name.split()).casefold()].append(name)
    return [
        f"The classes {names[0]!r} and {names[1]!r} differ only in case or blanks."
        for names in of_form.values()
        if len(names) > 1
    ]


def walk(top: Path, data: Data) -> tuple[dict[Folder, set[str]], list[Folder]]:
    """Return each visible folder's subfolders, and the paths of possible images and links."""

    def fail(error: OSError) -> None:
        raise error

    subfolders: dict[Folder, set[str]] = {}
    paths: list[Folder] = []
    for here, folders, names in os.walk(top, onerror=fail, followlinks=data.follow_links):
        folders[:] = filter(_is_visible, folders)
        for name in folders:
            path = os.path.join(here, name)
            if not os.path.islink(path):
                continue
            shown = ascii(os.path.relpath(path, top))
            if not data.follow_links:
                raise UserError(
                    f"{top} has {shown}, a link to a folder; set data.follow_links to true, or "
                    "replace the link with the folder."
                )
            target = os.path.realpath(path)
            way = (Path(here), *Path(here).parents)  # perhaps through links
            if any(folder.resolve().is_relative_to(target) for folder in way):
                raise UserError(
                    f"{top} has {shown}, a link to a folder that contains it; remove it."
                )
        parts = Path(here).relative_to(top).parts
        subfolders[parts] = {*folders}
        paths += [
            (*parts, name) for name in names if name[0] != "." and suffix(name) not in NOT_IMAGES
        ]
    return subfolders, paths


def reason(path: Path, top: Path, data: Data) -> str:
    """Return why a file below `top` is left out, or "" if it has an image suffix.

    A link out of the folder is followed if it leads to DVC's cache or `data.follow_links` is true;
    otherwise a UserError is raised.
    """
    if not path.exists() and suffix(path.name) not in SUFFIXES:  # perhaps it was a class folder
        raise UserError(
            f"{top} has {os.path.relpath(path, top)!a}, a link to nothing; correct or remove it."
        )
    if not path.is_file():
        return "is neither a regular file nor a link to one"
    if path.is_symlink() and not data.follow_links:
        target = os.path.realpath(path)
        if not (target.startswith(os.path.realpath(top) + os.sep) or CACHED.search(target)):
            raise UserError(
                f"{top} has {os.path.relpath(path, top)!a}, a link out of the folder; set "
                "data.follow_links to true, or replace the link with the file."
            )
    return "" if suffix(path.name) in SUFFIXES else f"is of the type {suffix(path.name) or 'none'}"


def suffix(name: str) -> str:
    """Return the suffix of a file name, in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def nfc(name: str) -> str:
    """Return a name in one Unicode form, since file systems and editors write several."""
    return unicodedata.normalize("NFC", name)


def is_utf8(name: str) -> bool:
    """Return whether a name from the file system is UTF-8; Python escapes other bytes."""
    return not any("\udc80" <= character <= "\udcff" for character in name)
