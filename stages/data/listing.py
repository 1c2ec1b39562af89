"""List the files of a folder of images by class, with the reason for each file left out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.data.checks import MOST_CLASSES
from stages.errors import UserError

DESCRIPTION = "a folder with one folder of images per class, or with such in train/ and test/"
SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Not images: ignored silently, like hidden files.
OTHER = frozenset(
    ".cfg .csv .db .doc .docx .dvc .h5 .html .ini .ipynb .json .jsonl .log .mat .md .npy .npz "  # noqa: SIM905
    ".parquet .pdf .pickle .pkl .py .rst .sh .toml .tsv .txt .xls .xlsx .xml .yaml .yml".split()
)
IGNORED_FOLDER = "__MACOSX"


@dataclass(frozen=True)
class Listing:
    """The contents of a folder of images; paths are relative to it, with "/".

    Attributes:
        classes: the names of the class folders, sorted.
        folders: (split, class number) -> class folder; the split is "train" if there is no train/.
        rows: (split, class number, file) of each file with an image suffix, training images
            first, sorted by class, then by path.
        left_out: file -> why.
    """

    classes: tuple[str, ...]
    folders: dict[tuple[str, int], str]
    rows: list[tuple[str, int, str]]
    left_out: dict[str, str]


def files(top: Path) -> Listing:
    """List a folder of images per class: `CLASS/*`, or `train/CLASS/*` and perhaps `test/CLASS/*`.

    Images in subfolders of a class folder belong to the class. The result does not depend on the
    file system's order.

    Raises:
        UserError: when `top` is not a folder, has fewer than 2 or more than 1,000 classes, or has a
            folder beside train/ that is not test/.
        OSError: when a folder cannot be read.
    """
    if not top.is_dir():
        raise UserError(f"{top} is not a folder; give {DESCRIPTION}.")
    present = set(_folders(top))
    paired = "train" in present and any(_folders(top / "train"))
    beside = sorted(present - {"train", "test"})
    if paired and beside:
        raise UserError(
            f"{top} has train/ and also {beside[0]!r}, which is neither train nor test; move it "
            "out, or merge it into one of them (folds validate within train)."
        )
    if paired and "test" in present and not any(_folders(top / "test")):
        raise UserError(
            f"{top}/test has no class folders; make one per class, or move test away to hold out "
            "data.test_fraction of train."
        )
    splits = {name: top / name for name in ("train", "test") if name in present} if paired else {}
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
    """Refuse too few or too many classes, and names that are not UTF-8."""
    if len(classes) < 2:
        what = f"one class folder, {classes[0]!r}" if classes else "no class folders"
        raise UserError(f"{top} has {what}; make one folder per class, two or more.")
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"{top} has {len(classes):,} class folders; at most {MOST_CLASSES:,} are allowed."
        )
    for name in classes:
        if not _is_text(name):
            raise UserError(
                f"{top} has a class folder whose name {os.fsencode(name)!r} is not UTF-8; "
                "rename it."
            )


def _folders(top: Path) -> Iterator[str]:
    """Yield the names of visible folders, not following links."""
    with os.scandir(top) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and _visible(entry.name):
                yield entry.name


def _in(folder: Path, top: Path, below: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (path, reason to leave it out), with reason "" for images.

    Args:
        folder: where to look.
        top: the root; paths are relative to it, and links must not leave it.
        below: whether to descend into subfolders.
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
                        yield shown, "has a name that is not UTF-8"


def _reason(entry: os.DirEntry, suffix: str, base: str) -> str:
    """Return why a file is left out, or "" if it has an image suffix."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not os.path.exists(target):
            return "is a broken link"
        if not target.startswith(base + os.sep):
            return "is a link out of the folder"
        if os.path.isdir(target):
            return "is a link to a folder"
    if suffix not in SUFFIXES:
        return f"has none of the suffixes {', '.join(SUFFIXES)}"
    return "" if entry.is_file() else "is not a regular file"


def _visible(name: str) -> bool:
    return not name.startswith(".") and name != IGNORED_FOLDER


def _is_text(name: str) -> bool:
    """Return whether a name from the file system is UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
