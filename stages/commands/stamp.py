"""A stamp of the last complete `make repro`, which lets the next one see that nothing changed.

DVC needs seconds to find that out. The stamp holds the modification time, size and inode of every
file that DVC would check and of a local MLflow database. It also holds the environment.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from stages.engine import environment
from stages.files import RESULTS, read_json, write_json
from stages.settings import params
from stages.tracking import address
from stages.tracking.store_errors import StoreError

STAMP = Path(".foldlab/repro.json")
LOCK = Path("dvc.lock")
SETTINGS = ("dvc.yaml", "params.yaml", ".dvcignore", ".dvc/config", ".dvc/config.local")


def inputs() -> dict[str, list[int]]:
    """Return the state of the files that users edit: settings, code and images."""
    made = _paths("outs")
    used = [
        path
        for path in _paths("deps")
        if not any(path.is_relative_to(out) or out.is_relative_to(path) for out in made)
    ]
    return _state([*map(Path, SETTINGS), *used])


def summary_if_unchanged() -> str | None:
    """Return the summary of the last run if nothing changed since, else None."""
    if not STAMP.is_file():
        return None
    stamp = read_json(STAMP)
    return stamp["summary"] if stamp["state"] == _now() else None


def write(before: dict[str, list[int]], summary: str) -> None:
    """Write the stamp after a run, if the next one would have nothing to do.

    That is, the inputs are the same as `before` the run, and the store is local and has everything.
    """
    STAMP.unlink(missing_ok=True)
    if before == inputs() and address.database(address.uri()) and _is_published():
        write_json(STAMP, {"summary": summary, "state": _now()})


def _is_published() -> bool:
    """Return whether MLflow has the results of all variants and shows their comparison."""
    from stages import publish  # only after a run, because their imports take time
    from stages.commands import champion
    from stages.tracking import published

    settings = params.load()
    unpublished = {*publish.unpublished()} & {*settings.variants}
    if unpublished or champion.last_shown() != champion.identity():
        return False
    with suppress(StoreError):
        return not published.missing(settings)
    return False


def _now() -> dict[str, Any]:
    database = address.database(address.uri())
    return {
        "inputs": inputs(),
        "outputs": _state([LOCK, *_paths("outs"), *sorted(RESULTS.glob("*/export"))]),
        "environment": environment.current(params.load().train.kernels),
        "store": _state([database]) if database else address.shown(),
    }


def _paths(kind: str) -> list[Path]:
    """Return the paths of all `deps` or `outs` in dvc.lock; none if DVC cannot read it either."""
    try:
        stages = yaml.load(LOCK.read_bytes(), yaml.CSafeLoader)["stages"].values()
    except (FileNotFoundError, TypeError, KeyError, yaml.YAMLError):
        return []
    found = {one["path"] for stage in stages for one in stage.get(kind, [])}
    return sorted(map(Path, found))


def _state(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return time, size and inode of each file, also of those in folders; [] if it is missing."""
    state = {}
    for top in paths:
        for path in [top, *top.rglob("*")]:
            if path.is_file() and "__pycache__" not in path.parts:
                stat = path.stat()
                state[str(path)] = [stat.st_mtime_ns, stat.st_size, stat.st_ino]
            elif not path.exists():
                state[str(path)] = []
    return state
