"""The files of a folder of images: which belong to which class, and which are left out and why."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.data.checks import MOST_CLASSES
from stages.errors import UserError

KNOWN = "a folder with a folder of images for each class, or with such in train/ and test/"
SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Clearly no images: passed over without a word, as are hidden files.
OTHER = frozenset(
    ".cfg .csv .db .doc .docx .dvc .h5 .html .ini .ipynb .json .jsonl .log .mat .md .npy .npz "  # noqa: SIM905
    ".parquet .pdf .pickle .pkl .py .rst .sh .toml .tsv .txt .xls .xlsx .xml .yaml .yml".split()
)
PASSED_OVER = "__MACOSX"


@dataclass(frozen=True)
class Listing:
    """What a folder of images holds; every path is relative to it, with "/".

    Attributes:
        classes: the names of the class folders, sorted.
        folders: (split, class number) -> class folder; the split is "train" where there is one.
        rows: (split, class number, file) of all that are images by their names, the training
            images first, each split by class, then by path.
        left_out: file -> why.
    """

    classes: tuple[str, ...]
    folders: dict[tuple[str, int], str]
    rows: list[tuple[str, int, str]]
    left_out: dict[str, str]


def files(top: Path) -> Listing:
    """List a folder of images per class: `CLASS/*`, or `train/CLASS/*` and perhaps `test/CLASS/*`.

    Images in folders below a class folder belong to the class. Nothing depends on the order in
    which the file system gives names.

    Raises:
        UserError: for what is no folder, for fewer than 2 or more than 1,000 classes, a class
            folder without images, or a folder beside train/ that is not test/.
        OSError: when a folder cannot be read.
    """
    if not top.is_dir():
        raise UserError(f"{top} is no folder; give {KNOWN}.")
    there = set(_folders(top))
    paired = "train" in there and any(_folders(top / "train"))
    beside = sorted(there - {"train", "test"})
    if paired and beside:
        raise UserError(
            f"{top} holds train/ and also {beside[0]!r}, which is neither train nor test; move it "
            "out, or merge it into one of them (folds validate within train)."
        )
    if paired and "test" in there and not any(_folders(top / "test")):
        raise UserError(
            f"{top}/test holds no class folders; make one for each class, or move test out and "
            "data.test_fraction of train will test."
        )
    splits = {name: top / name for name in ("train", "test") if name in there} if paired else {}
    splits = splits or {"train": top}
    classes = tuple(sorted(set().union(*map(_folders, splits.values()))))
    _check(top, classes)
    folders, rows, left_out = {}, [], {}
    for folder in {top, *splits.values()}:
        left_out |= {path: reason or "lies in no class folder" for path, reason in _in(folder, top)}
    for split, folder in splits.items():
        here = set(_folders(folder))
        for number, name in enumerate(classes):
            if name not in here:
                continue
            folders[split, number] = (folder / name).relative_to(top).as_posix()
            for path, reason in sorted(_in(folder / name, top, below=True)):
                if reason:
                    left_out[path] = reason
                else:
                    rows.append((split, number, path))
    return Listing(classes, folders, rows, left_out)


def _check(top: Path, classes: tuple[str, ...]) -> None:
    """Refuse classes that nothing can be trained on."""
    if len(classes) < 2:
        what = f"one class folder, {classes[0]!r}" if classes else "no class folders"
        raise UserError(f"{top} holds {what}; make a folder for each of two or more classes.")
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"{top} holds {len(classes):,} class folders; at most {MOST_CLASSES:,} are allowed."
        )
    for name in classes:
        if not _is_text(name):
            raise UserError(
                f"{top} holds a class folder whose name {os.fsencode(name)!r} is no UTF-8 text; "
                "rename it."
            )


def _folders(top: Path) -> Iterator[str]:
    """Yield the names of visible folders; links are none."""
    with os.scandir(top) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and _visible(entry.name):
                yield entry.name


def _in(folder: Path, top: Path, below: bool = False) -> Iterator[tuple[str, str]]:
    """Yield files with the reason to leave each out, "" for an image to be read.

    Args:
        folder: where to look.
        top: the folder of all, which no link may leave, and to which paths are relative.
        below: whether to look into the folders in it too.
    """
    waiting, base = [folder], os.path.realpath(top)
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                suffix = os.path.splitext(entry.name)[1].lower()
                if not _visible(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if below:
                        waiting.append(Path(entry.path))
                elif suffix not in OTHER:
                    path = Path(entry.path).relative_to(top).as_posix()
                    if _is_text(path):
                        yield path, _reason(entry, suffix, base)
                    else:
                        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                        yield shown, "has a name that is no UTF-8 text"


def _reason(entry: os.DirEntry, suffix: str, base: str) -> str:
    """Say why a file is left out, or "" when it is an image by its name."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not os.path.exists(target):
            return "is a link to nothing"
        if not target.startswith(base + os.sep):
            return "is a link that leads out of the folder"
        if os.path.isdir(target):
            return "is a link to a folder"
    if suffix not in SUFFIXES:
        return f"is none of {', '.join(SUFFIXES)}"
    return "" if entry.is_file() else "is no ordinary file"


def _visible(name: str) -> bool:
    return not name.startswith(".") and name != PASSED_OVER


def _is_text(name: str) -> bool:
    """Say whether a name that the file system gave is UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
