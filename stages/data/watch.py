"""Check that DVC watches the files that are read, and that they do not change meanwhile."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages import data, files
from stages.errors import UserError
from stages.settings.params import Params


def check(settings: Params) -> None:
    """Refuse paths outside `data.watch`, which DVC resolves from the working folder, in a stage.

    In dvc.yaml, `data.watch` is a dependency of `prepare`, because DVC's templates can insert a
    value but not choose one.
    """
    if "DVC_STAGE" not in os.environ:
        return
    watch, source = settings.data.watch, settings.data.source
    given_paths = {
        "data.source": None if source in data.SOURCES else source,
        "data.folder": settings.data.folder,
        "folds.group": settings.folds.group,
        "data.corrections": settings.data.corrections,
    }
    for setting, given in given_paths.items():
        path = files.find(given) if given else None
        if not path or not path.exists() or _tracks(Path(watch), path):
            continue  # a missing file is reported where it is read
        if _tracks(files.root() / watch, path):  # in a temporary experiment
            raise UserError(
                f"{setting} is {given!r}, which is found at {path}, but DVC watches "
                f"{os.path.abspath(watch)} in this experiment; track the data with `dvc add`, "
                f"add `--copy-paths {given}`, or make data.watch an absolute path."
            )
        raise UserError(
            f"{setting} is {given!r}, where DVC would not notice a change; set data.watch to "
            f"{os.path.expanduser(str(given))!r}, or to a folder that contains all your data."
        )


def digests(settings: Params) -> dict[str, str]:
    """Return setting -> SHA-256 (hexadecimal) of the names and content of the user's own files.

    Settings are `data.source`, `folds.group` and `data.corrections`; registered sources have
    digests of their own.
    """
    found = {}
    if path := data.find(settings.data.source):
        found["data.source"] = _digest(path, data.files_of(path, settings.data))
    tables = {
        "folds.group": settings.folds.group,
        "data.corrections": settings.data.corrections,
    }
    for setting, given in tables.items():
        if given:
            path = files.find(given)
            found[setting] = _digest(path, [path])
    return found


def check_unchanged(settings: Params, before: Mapping[str, str]) -> None:
    """Refuse files that have changed since `digests` returned `before`.

    DVC hashes the dependencies again after the stage, so they must be what was read.
    """
    now = digests(settings)
    if changed := [setting for setting in before if now.get(setting) != before[setting]]:
        raise UserError(
            f"the files of {changed[0]} changed while they were read; run the same command again "
            "when nothing writes to them."
        )


def _digest(top: Path, paths: Sequence[Path]) -> str:
    contents = []
    for path in paths:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:  # the reader refuses the file or leaves it out
            content = str(error.strerror)
        contents.append((os.path.relpath(path, top), content))
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def _tracks(folder: Path, path: Path) -> bool:
    """Return whether DVC hashes `path` with `folder`; it does not follow links to folders."""
    folder, path = Path(os.path.abspath(folder)), Path(os.path.abspath(path))
    below = [part for part in (path, *path.parents) if folder in part.parents]
    linked = any(part.is_symlink() and part.is_dir() for part in below)
    return path.is_relative_to(folder) and not linked
