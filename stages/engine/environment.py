"""The environment: library versions and processor features, part of every fingerprint.

DVC tracks it as `data/environment.json`, written by the stage `environment`; `train` and
`evaluate` depend on that file. Commands that compute first check that it is up to date.
"""

import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from stages.engine import hardware
from stages.errors import UserError
from stages.files import read_json, write_json
from stages.settings.sections import Kernels

RECORDED = Path("data/environment.json")
LIBRARIES = ("tensorflow", "keras", "numpy")


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, as major.minor, and of the libraries."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {name: version(name) for name in libraries}


@cache
def current(kernels: Kernels) -> dict[str, str]:
    """Return the versions, the `kernels` of `hardware`, and what precision `auto` means here."""
    precision = hardware.resolve("auto", kernels)
    detected = {"kernels": hardware.kernels(kernels), "auto_precision": precision}
    return versions(LIBRARIES) | detected


def check(kernels: Kernels) -> None:
    """Raise UserError, with the differences, unless the environment is the recorded one."""
    if changes := _changes(kernels):
        raise UserError(
            f"the environment has changed since {RECORDED} was written ({changes}), so results "
            "would not be comparable; run `make repro` to retrain all variants in the current "
            "environment, or install the previous versions."
        )


def adopt(kernels: Kernels) -> str:
    """Record the current environment; return what changed, or ""."""
    changes = _changes(kernels)
    if changes:
        write_json(RECORDED, current(kernels))
    return changes


def _changes(kernels: Kernels) -> str:
    now = current(kernels)
    before = read_json(RECORDED) if RECORDED.is_file() else now
    return ", ".join(
        f"{name} {before.get(name, 'unknown')} -> {now.get(name, 'unknown')}"
        for name in now | before
        if before.get(name) != now.get(name)
    )
