"""Train a variant's folds on fewer images, for its learning curve.

The training images of a fold are halved three times, so the subsets are nested. Each keeps the
shares of the classes and, with `folds.group`, whole groups. Validation images stay those of the
fold. A smaller subset is trained for more epochs, see `longer`.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from stages import files
from stages.data.groups import assign, table
from stages.data.listing import nfc
from stages.engine import identity
from stages.engine.fold_tasks import Arrays, FoldTask
from stages.errors import UserError
from stages.settings.sections import Folds
from stages.training.fold import derive_seed
from stages.training.recipe import Recipe

SHARES = (1 / 8, 1 / 4, 1 / 2)  # of a fold's training images


def groups(settings: Folds) -> np.ndarray | None:
    """Return the number of each training image's group, int64 (n,); None without `folds.group`.

    Raises:
        UserError: when the file no longer has a group for an image.
    """
    if settings.group is None:
        return None
    path = files.PREPARED / "train_names.csv"
    names = files.read_table(path, ("row", "file"), text=("file",))
    column = "file" if names[0]["file"] else "row"
    of_name = table(settings.group, column)
    wanted = [nfc(str(name[column])) for name in names]
    if missing := [name for name in wanted if name not in of_name]:
        raise UserError(
            f"folds.group: {settings.group} has no group for the {column} {missing[0]!r}; run "
            "`dvc repro prepare`, which checks the file."
        )
    return np.unique([of_name[name] for name in wanted], return_inverse=True)[1]


def subsets(
    arrays: Arrays, classes: Sequence[str], settings: Folds, group_of: np.ndarray | None = None
) -> list[dict[float, np.ndarray]]:
    """Return share -> ascending rows of the training images, for each fold of all repeats.

    Raises:
        UserError: when a class has too few images or groups for the smallest share.
    """
    found = []
    for repeat, fold_of in enumerate(arrays.folds):
        for fold in range(int(fold_of.max()) + 1):
            rows = np.flatnonzero(fold_of != fold)
            seed = derive_seed(settings.seed, "subsets", repeat, fold)
            state = np.random.RandomState(seed)
            chosen = {}
            for share in reversed(SHARES):
                rows = _half(rows, arrays.labels, classes, share, group_of, state)
                chosen[share] = rows
            found.append(chosen)
    return found


def _half(
    rows: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    share: float,
    group_of: np.ndarray | None,
    state: np.random.RandomState,
) -> np.ndarray:
    """Return a half of the rows, ascending, with images of all classes."""
    counts = np.bincount(labels[rows], minlength=len(classes))
    if group_of is not None:
        number = np.unique(group_of[rows], return_inverse=True)[1]
        half = rows[assign(labels[rows], number, [0.5, 0.5], state) == 0]
        counts = 2 * np.bincount(labels[half], minlength=len(classes))  # 0: none is in the half
    if counts.min() < 2:
        raise UserError(
            f"the class {classes[int(counts.argmin())]!r} would have no image in "
            f"1/{1 / share:.0f} of a fold's training images; a learning curve needs at least 8 "
            "images of each class in each fold's training set, and with folds.group at least 8 "
            "groups: add images or leave the class out."
        )
    if group_of is None:
        size = (len(rows) + 1) // 2
        half = train_test_split(rows, train_size=size, stratify=labels[rows], random_state=state)[0]
    return np.sort(half)


def tasks(
    recipe: Recipe, data_sha256: str, chosen: Sequence[dict[float, np.ndarray]]
) -> dict[float, list[FoldTask]]:
    """Return share -> the folds to train on it; `chosen` has the subsets of each fold."""
    found = {}
    for share in SHARES:
        own = longer(recipe, share)
        rows = [of_fold[share] for of_fold in chosen]
        digest = hashlib.sha256(b"".join(part.tobytes() for part in rows)).hexdigest()
        key = identity.digest([identity.fingerprint(own, data_sha256), "subsets", digest])
        found[share] = [FoldTask(key, own, fold, part) for fold, part in enumerate(rows)]
    return found


def longer(recipe: Recipe, share: float) -> Recipe:
    """Return the recipe for a share of the images; a quarter of them gets twice the epochs.

    That is half the steps of all images. With the same number of epochs, small subsets would be
    trained too little, and more images would seem to help more than they do; with the same number
    of steps, the curve would cost twice as much (docs/decisions.md, Statistics). Whatever is
    counted in epochs is stretched with them: the patience of early stopping and of plateaus, and an
    exponential schedule. The other schedules depend on the number of steps.
    """
    factor = share**-0.5
    train = recipe.train
    update: dict[str, Any] = {"epochs": round(factor * train.epochs)}
    for name in ("early_stopping", "reduce_on_plateau"):
        if setting := getattr(train, name):
            patience = round(factor * setting.patience)
            update[name] = setting.model_copy(update={"patience": patience})
    if "rate" in train.schedule.arguments:
        rate = train.schedule.arguments["rate"] ** (1 / factor)
        arguments = train.schedule.arguments | {"rate": rate}
        update["schedule"] = train.schedule.model_copy(update={"arguments": arguments})
    return recipe.model_copy(update={"train": train.model_copy(update=update)})
