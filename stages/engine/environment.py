"""The environment: library versions and processor features, part of every fingerprint.

DVC tracks it as `data/environment.json`, written by the stage `environment`; `train` and
`evaluate` depend on that file. Commands that compute first check that it is up to date.
"""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from stages.engine import hardware
from stages.errors import UserError
from stages.files import read_json, write_json

RECORDED = Path("data/environment.json")
LIBRARIES = ("tensorflow", "keras", "numpy")


@cache
def current() -> Mapping[str, str]:
    """Return the current environment.

    Returns:
        `python` (major.minor), the version of each of LIBRARIES, `kernels` (the instruction set of
        the processor or the GPU) and `auto_precision` (what precision `auto` means here).
    """
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: version(name) for name in LIBRARIES},
        "kernels": hardware.kernels(),
        "auto_precision": hardware.resolve("auto"),
    }


def check() -> None:
    """Check that the current environment is the recorded one.

    Raises:
        UserError: when it is not; names the differences.
    """
    if changes := _changes():
        raise UserError(
            f"the environment has changed since {RECORDED} was written ({changes}), so results "
            "would not be comparable; run `make repro` to retrain all variants in the current "
            "environment, or install the previous versions."
        )


def adopt() -> str:
    """Record the current environment; return what changed, or ""."""
    changes = _changes()
    if changes:
        write_json(RECORDED, dict(current()))
    return changes


def _changes() -> str:
    now = current()
    before = read_json(RECORDED) if RECORDED.is_file() else now
    return ", ".join(
        f"{name} {before.get(name, 'unknown')} -> {now.get(name, 'unknown')}"
        for name in now | before
        if before.get(name) != now.get(name)
    )
