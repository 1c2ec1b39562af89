"""Whether what is read is what DVC notices and hashes."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages import entry
from stages.data import SOURCES, paths
from stages.errors import UserError
from stages.params import Params


def check(settings: Params) -> None:
    """Refuse a DVC stage whose data DVC does not watch.

    dvc.yaml makes `data.watch` a dependency of `prepare`, since DVC's templates can take a value
    but not choose one. Outside of DVC there is nothing to notice.

    Args:
        settings: the sections `data` and `folds` are used.

    Raises:
        UserError: when `data.source`, `data.folder` or `folds.group` names a path that is not
            in `data.watch`, as DVC finds that from the working folder.
    """
    if "DVC_STAGE" not in os.environ:
        return
    chosen = settings.data
    named = {"data.folder": chosen.folder, "folds.group": settings.folds.group}
    if chosen.source not in SOURCES:
        named["data.source"] = chosen.source
    for setting, given in named.items():
        if not given or not (place := _absolute(entry.find(given))).exists():
            continue  # what does not exist is refused by who reads it
        if _holds(Path(chosen.watch), place):
            continue
        if _holds(entry.root() / chosen.watch, place):  # in a temporary experiment
            raise UserError(
                f"{setting} is {given!r}, which is found at {place}, but DVC watches "
                f"{_absolute(Path(chosen.watch))} in this experiment; track the data with "
                f"`dvc add`, add `--copy-paths {given}`, or make data.watch an absolute path."
            )
        raise UserError(
            f"{setting} is {given!r}, where DVC would notice no change; set data.watch to "
            f"{os.path.expanduser(given)!r}, or to a folder that holds all your data."
        )


def digests(settings: Params) -> dict[str, str]:
    """Return the SHA-256, in hexadecimal, of the user's own files that each setting names.

    It is of their names below the path that the setting gives, and of their content.

    Args:
        settings: the sections `data` and `folds` are used.

    Returns:
        `data.source` and `folds.group`, where they name files; those of `mnist` and its like are
        checked against digests of their own.

    Raises:
        UserError: as `stages.data.paths.load`, when it cannot be told what is to be read.
        OSError: when a folder cannot be read.
    """
    found, group = {}, settings.folds.group
    if settings.data.source not in SOURCES and (path := paths.find(settings.data.source)):
        found["data.source"] = _digest(path, paths.files(path, settings.data))
    if group:
        found["folds.group"] = _digest(entry.find(group), [entry.find(group)])
    return found


def check_unchanged(settings: Params, before: Mapping[str, str]) -> None:
    """Refuse files that are no longer those of `before`, which `digests` returned.

    DVC hashes its dependencies once more after a stage, so what was read must still be there.

    Raises:
        UserError: with the setting that names them, or as `digests`.
        OSError: when a folder cannot be read.
    """
    now = digests(settings)
    for setting, digest in before.items():
        if now.get(setting) != digest:
            raise UserError(
                f"the files of {setting} changed while they were read; run the same command again "
                "when nothing writes there."
            )


def _digest(top: Path, files: Sequence[Path]) -> str:
    known = [(os.path.relpath(file, top), _content(file)) for file in files]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:  # who reads the file refuses it, or leaves it out
        return str(error.strerror)


def _holds(folder: Path, place: Path) -> bool:
    """Say whether DVC hashes `place` with `folder`; links to folders in it DVC does not follow."""
    folder = _absolute(folder)
    below = [path for path in (place, *place.parents) if folder in path.parents]
    linked = any(path.is_symlink() and path.is_dir() for path in below)
    return folder in (place, *place.parents) and not linked


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
