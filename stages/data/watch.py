"""Check that DVC watches the files that are read, and that they do not change meanwhile."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages import data, files
from stages.errors import UserError
from stages.settings.params import Params
from stages.settings.sections import Data

# What the stages write, as in dvc.yaml: DVC refuses a dependency that contains any of these.
WRITTEN = ("data/environment.json", "data/members", "data/prepared", "results")


def check(settings: Params) -> None:
    """In a DVC stage, refuse paths outside `data.watch`, as DVC resolves it in the working folder.

    In dvc.yaml, `data.watch` is a dependency of `prepare`, because DVC's templates can insert a
    value but not choose one.
    """
    if "DVC_STAGE" not in os.environ:
        return
    watch = settings.data.watch
    for setting, path in _own(settings.data, settings.folds.group).items():
        if not path.exists() or _tracks(Path(watch), path):
            continue  # a missing file is reported where it is read
        if _tracks(files.root() / watch, path):  # in a temporary experiment
            raise UserError(
                f"{setting} is at {path}, but DVC watches {os.path.abspath(watch)} in this "
                "experiment; track the data with `dvc add`, add `--copy-paths "
                f"{os.path.relpath(path, files.root())}`, or make data.watch an absolute path."
            )
        raise UserError(
            f"{setting} is at {path}, where DVC would not notice a change; set data.watch to "
            f"{best(settings.data, settings.folds.group)!r}, or run `make repro`, which does."
        )


def is_wrong(settings: Params) -> bool:
    """Return whether DVC cannot watch `data.watch`, or would not notice changes to the data."""
    own = _own(settings.data, settings.folds.group).values()
    if not all(path.exists() for path in own):
        return False  # DVC may bring it, or it is reported where it is read
    watch = Path(settings.data.watch)
    return not watch.exists() or _is_written(watch) or not all(_tracks(watch, path) for path in own)


def best(given: Data, group: str | None = None) -> str:
    """Return what `data.watch` should be: the path of all files of the user, or the default.

    It is relative to the repository if it is inside. `group` is `folds.group`.

    Raises:
        UserError: when DVC cannot watch that path.
    """
    own = _own(given, group)
    if not own:
        return Data().watch
    path = Path(os.path.commonpath([os.path.abspath(path) for path in own.values()]))
    if _is_written(path):
        raise UserError(
            f"DVC cannot watch {path}, which holds {' and '.join(own)}, because the pipeline "
            "writes there too; move your files into a separate folder, such as data/photos, "
            "and change their paths in params.yaml."
        )
    if linked := [setting for setting, place in own.items() if not _tracks(path, place)]:
        raise UserError(
            f"{linked[0]} is behind a link in {path}, which DVC does not follow; replace the link "
            "with its target."
        )
    above = [top for top in _tops() if path.is_relative_to(top)]
    return str(path.relative_to(above[0]) if above else path)


def _own(given: Data, group: str | None) -> dict[str, Path]:
    """Return setting -> path, perhaps missing, of each setting that names files of the user.

    For a CSV file of labels, the path is the folder that the labelled files are in.
    """
    paths = {
        "data.source": None if given.source in data.SOURCES else given.source,
        "data.folder": given.folder,
        "folds.group": group,
        "data.corrections": given.corrections,
    }
    own = {setting: files.find(path) for setting, path in paths.items() if path}
    source = own.get("data.source")
    if source and source.is_file() and hasattr(data.format_of(source, given), "listed"):
        own["data.source"] = source.parent
    return own


def digests(settings: Params) -> dict[str, str]:
    """Return setting -> SHA-256 (hexadecimal) of the names and content of the user's own files.

    Settings are `data.source`, `folds.group` and `data.corrections`; registered sources have fixed
    digests.
    """
    found = {}
    if path := data.find(settings.data.source):
        found["data.source"] = _digest(path, data.files_of(path, settings.data))
    tables = {"folds.group": settings.folds.group, "data.corrections": settings.data.corrections}
    for setting, given in tables.items():
        if given:
            path = files.find(given)
            found[setting] = _digest(path, [path])
    return found


def check_unchanged(settings: Params, before: Mapping[str, str]) -> None:
    """Refuse files that have changed since `digests` returned `before`.

    DVC hashes the dependencies again after the stage, so they must still be what was read.
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
            content = files.sha256(path)
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


def _is_written(path: Path) -> bool:
    """Return whether a path contains something that the stages write, or is inside it."""
    path = Path(os.path.abspath(path))
    written = [top / name for top in _tops() for name in WRITTEN]
    return any(path.is_relative_to(one) or one.is_relative_to(path) for one in written)


def _tops() -> list[Path]:
    """Return the working folder and the repository's, which differ only in an experiment."""
    return [Path.cwd(), Path(os.path.abspath(files.root()))]
