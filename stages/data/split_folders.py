"""Which folders are splits, by their names: train/, Testing/, seg_train/, val/ and so on."""

import re
from collections.abc import Mapping, Set
from pathlib import Path

from stages.errors import UserError
from stages.settings.sections import Data

Folder = tuple[str, ...]  # the names on the way from the top folder
WORDS = {
    "train": {"train", "training"},
    "test": {"test", "testing"},
    "validation": {"val", "valid", "validation", "dev"},
}
FILLERS = {"set", "seg", "data", "images", "imgs", "img", "split"}  # seg_train, Training Set


def split_of(name: str) -> str | None:
    """Return the split that a folder's name means, a key of WORDS, or None for any other name."""
    words = {*re.split(r"[\W_]+", name.casefold())} - FILLERS - {""}
    return next((split for split, known in WORDS.items() if words and words <= known), None)


def split_in(stem: str) -> str | None:
    """Return the split that one word of a file's stem means, a key of WORDS, or None.

    Words end where letters do: cifar10-test, train-00000-of-00001.
    """
    words = {*re.split(r"[\W\d_]+", stem.casefold())}
    found = [split for split, known in WORDS.items() if words & known]
    if len(found) > 1:
        raise UserError(
            f"the name of the file {stem!r} says {' and '.join(found)}; rename it so that it says "
            "one of them, or none for training images."
        )
    return found[0] if found else None


def find(
    top: Path, subfolders: Mapping[Folder, Set[str]], with_images: Set[Folder], data: Data
) -> tuple[dict[Folder, str], list[str]]:
    """Find the folders whose subfolders are the classes.

    Args:
        top: for messages.
        subfolders: each folder's subfolders, at all levels.
        with_images: the folders that contain images themselves.
        data: its `validation` and `label_pattern` are used.

    Returns:
        folder -> "train" or "test", without a folder of validation images that is ignored; and
        sentences about what a user might not expect.
    """
    start = _descend((), subfolders, with_images)
    notes = [f"The class folders were found in {'/'.join(start)}."] if start else []
    splits = {name: split_of(name) for name in sorted(subfolders[start])}
    named = [name for name, split in splits.items() if split]
    if not named:
        return {start: "train"}, notes
    if others := [name for name, split in splits.items() if not split]:
        raise UserError(
            f"{top} has the folder {named[0]!r}, named like a split, beside {others[0]!r}; "
            f"move {others[0]!r} elsewhere if the class folders are in {named[0]!r}, or rename "
            f"{named[0]!r} if it is a class."
        )
    of_split = {split: name for name, split in splits.items() if split}
    if len(of_split) < len(splits) or "train" not in of_split:
        raise UserError(
            f"{top} has the splits {', '.join(map(repr, named))}; it needs one folder of training "
            "images, and at most one each for test and validation."
        )
    target = {"train": "train", "test": "test", "validation": data.validation}
    roots = {}
    for split, name in of_split.items():
        root = _descend((*start, name), subfolders, with_images, split)
        if not (subfolders[root] or data.label_pattern):
            raise UserError(
                f"{top / name} has no class folders; make one per class, set data.label_pattern if "
                f"file names contain the class, or move {name!r} out."
            )
        if split == "validation":
            notes.append(f"The images of {name} are {VALIDATION[data.validation]}.")
        if target[split] != "ignore":
            roots[root] = target[split]
    return roots, notes


VALIDATION = {
    "train": "joined to the training images, because folds validate (data.validation)",
    "test": "joined to the test images, because data.validation is test",
    "ignore": "left out, because data.validation is ignore",
}


def _descend(
    folder: Folder,
    subfolders: Mapping[Folder, Set[str]],
    with_images: Set[Folder],
    split: str | None = None,
) -> Folder:
    """Go down while a folder has nothing but one folder of folders, as unpacked archives have.

    Below the folder of a `split`, a folder of the same name is passed too: seg_train/seg_train.
    """
    while len(subfolders[folder]) == 1 and folder not in with_images:
        (name,) = subfolders[folder]
        inner = (*folder, name)
        if split_of(name) not in (None, split) or not subfolders[inner] or inner in with_images:
            break
        folder = inner
    return folder
