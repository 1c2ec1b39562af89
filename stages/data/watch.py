"""Whether DVC notices when the user's own files change."""

import os
from pathlib import Path

from stages import entry
from stages.data import SOURCES
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
            in `data.watch`.
    """
    if "DVC_STAGE" not in os.environ:
        return
    chosen = settings.data
    named = {"data.folder": chosen.folder, "folds.group": settings.folds.group}
    if chosen.source not in SOURCES:
        named["data.source"] = chosen.source
    watched = _place(chosen.watch)
    for setting, given in named.items():
        if not given or not (place := _place(given)).exists():
            continue  # what does not exist is refused by who reads it
        if watched not in (place, *place.parents):
            raise UserError(
                f"{setting} is {given!r}, where DVC would notice no change; set data.watch to "
                f"{given!r}, or to a folder that holds all your data."
            )


def _place(given: str) -> Path:
    return Path(os.path.abspath(entry.root() / Path(given).expanduser()))
