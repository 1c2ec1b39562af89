"""Where a measurement was made: the environment in every record of benchmarks/records."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.engine.hardware import processor
from stages.files import write_json

HERE = Path(__file__).parent
RECORDS = HERE / "records"
PACKAGES = ("tensorflow", "keras", "numpy", "mlflow", "dvc")


def environment() -> dict[str, Any]:
    """Return the date, the commit, the machine and the versions that a figure depends on.

    `commit` is the one at the start of the measurement, with "+" if tracked files differed from it.
    """
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": BEGAN,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def write(name: str, result: dict[str, Any], folder: Path = RECORDS) -> Path:
    """Write a result with its environment to <name>.json and return the path."""
    path = folder / f"{name}.json"
    write_json(path, {"benchmark": name, **result, "environment": environment()})
    return path


def end(name: str, found: dict[str, Any], folder: Path) -> None:
    """Write a result and print its path; exit with status 1 if it has any `faults`."""
    print(write(name, found, folder))
    if found["faults"]:
        sys.exit("foldlab: " + "\n".join(found["faults"]))


def _processor() -> str:
    """Return the processor's name and its vector units."""
    facts = processor()
    if not facts:
        return platform.processor() or platform.machine()
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    units = [unit for unit in wanted if unit in facts.get("flags", "").split()]
    return f"{facts.get('model name', platform.machine())} ({', '.join(units) or 'no AVX2'})"


def _commit() -> str:
    """Return the commit, with "+" if tracked files outside benchmarks/records differ from it."""
    commit = _git("describe", "--always", "--abbrev=10", "--exclude=*")
    tracked = ("--untracked-files=no", "--", ".", ":!benchmarks/records")
    return commit + ("+" if _git("status", "--porcelain", *tracked) else "") or "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=HERE.parent, capture_output=True, text=True)
    return done.stdout.strip()


BEGAN = _commit()  # at import: there may be new commits before a long measurement ends
