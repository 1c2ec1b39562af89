"""Check that DVC watches the files that are read, and that they do not change meanwhile."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages import files
from stages.data import SOURCES, paths
from stages.errors import UserError
from stages.settings.params import Params


def check(settings: Params) -> None:
    """Refuse data that DVC does not watch, when run as a DVC stage.

    In dvc.yaml, `data.watch` is a dependency of `prepare`, because DVC's templates can insert a
    value but not choose one.

    Args:
        settings: the sections `data` and `folds` are used.

    Raises:
        UserError: when `data.source`, `data.folder` or `folds.group` is a path outside
            `data.watch`, which DVC resolves from the working folder.
    """
    if "DVC_STAGE" not in os.environ:
        return
    data = settings.data
    paths_given = {"data.folder": data.folder, "folds.group": settings.folds.group}
    if data.source not in SOURCES:
        paths_given["data.source"] = data.source
    for setting, given in paths_given.items():
        if not given or not (path := _absolute(files.find(given))).exists():
            continue  # a missing file is reported where it is read
        if _tracks(Path(data.watch), path):
            continue
        if _tracks(files.root() / data.watch, path):  # in a temporary experiment
            raise UserError(
                f"{setting} is {given!r}, which is found at {path}, but DVC watches "
                f"{_absolute(Path(data.watch))} in this experiment; track the data with "
                f"`dvc add`, add `--copy-paths {given}`, or make data.watch an absolute path."
            )
        raise UserError(
            f"{setting} is {given!r}, where DVC would not notice a change; set data.watch to "
            f"{os.path.expanduser(given)!r}, or to a folder that contains all your data."
        )


def digests(settings: Params) -> dict[str, str]:
    """Return the SHA-256 (hexadecimal) of the user's own files, per setting that names them.

    It covers the relative names and the content of the files.

    Args:
        settings: the sections `data` and `folds` are used.

    Returns:
        `data.source` and `folds.group`, if they name files; registered sources have digests of
        their own.

    Raises:
        UserError: as `stages.data.paths.load`, when the format is unclear.
        OSError: when a folder cannot be read.
    """
    found, group = {}, settings.folds.group
    if settings.data.source not in SOURCES and (path := paths.find(settings.data.source)):
        found["data.source"] = _digest(path, paths.files(path, settings.data))
    if group:
        found["folds.group"] = _digest(files.find(group), [files.find(group)])
    return found


def check_unchanged(settings: Params, before: Mapping[str, str]) -> None:
    """Refuse files that have changed since `digests` returned `before`.

    DVC hashes the dependencies again after the stage, so they must be what was read.

    Raises:
        UserError: names the setting; or as `digests`.
        OSError: when a folder cannot be read.
    """
    now = digests(settings)
    for setting, digest in before.items():
        if now.get(setting) != digest:
            raise UserError(
                f"the files of {setting} changed while they were read; run the same command again "
                "when nothing writes to them."
            )


def _digest(top: Path, files: Sequence[Path]) -> str:
    contents = [(os.path.relpath(file, top), _content(file)) for file in files]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:  # the reader refuses the file or leaves it out
        return str(error.strerror)


def _tracks(folder: Path, path: Path) -> bool:
    """Return whether DVC hashes `path` with `folder`; it does not follow links to folders."""
    folder = _absolute(folder)
    below = [part for part in (path, *path.parents) if folder in part.parents]
    linked = any(part.is_symlink() and part.is_dir() for part in below)
    return folder in (path, *path.parents) and not linked


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
