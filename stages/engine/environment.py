"""The environment that computes: versions and kernels. It is part of every fingerprint.

`data/environment.json`, which the stage `environment` writes and train and evaluate depend on, is
what DVC knows of it. A command that computes compares it with the present environment first.
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
    """Return the present environment.

    Returns:
        `python` (major and minor version), the version of each library that computes, and
        `kernels`, the instruction set of the processor or the GPU, and `auto_precision`, what the
        precision `auto` is with them.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    libraries = {name: version(name) for name in LIBRARIES}
    return {
        "python": python,
        **libraries,
        "kernels": hardware.kernels(),
        "auto_precision": hardware.resolve("auto"),
    }


def check() -> None:
    """Refuse to compute in another environment than the recorded one.

    Raises:
        UserError: names what differs.
    """
    if changes := _changes():
        raise UserError(
            f"the environment changed since {RECORDED} was written ({changes}), and results of "
            "both cannot be compared; run `make repro` to train all variants with the present "
            "one, or install the versions of before."
        )


def adopt() -> str:
    """Record the present environment; return what changed, "" for nothing."""
    changes = _changes()
    if changes:
        write_json(RECORDED, dict(current()))
    return changes


def _changes() -> str:
    if not RECORDED.is_file():
        return ""
    before, now = read_json(RECORDED), current()
    return ", ".join(
        f"{name} {before.get(name, 'unknown')} -> {now.get(name, 'unknown')}"
        for name in dict.fromkeys([*now, *before])
        if before.get(name) != now.get(name)
    )
