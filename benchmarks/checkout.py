"""A copy of the repository with its own settings, commands run in it, and their results."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import inputs, processes

SMALL = {  # settings with which the whole pipeline takes half a minute
    "data": {"limit": 90},
    "folds": {"count": 2},
    "train": {"epochs": 1},
    "compare": {"variants": ["basic", "batchnorm"], "baseline": "basic"},
    "tracking": {"live_after": None},
}


def make(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Copy all files that Git does not ignore, except results and tests, into a new repository."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=inputs.ROOT, capture_output=True, text=True, check=True)
    for name in names.stdout.splitlines():
        source = inputs.ROOT / name
        if source.is_file() and not name.startswith(("results/", "dvc.lock", "tests/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    inputs.write_settings(folder, settings)
    run("git init -q -b main && git config user.name a && git config user.email a@b.c", folder)
    run("git add -A && git commit -qm settings", folder)
    return folder


def call(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a shell command as a user would, and return how it ended and what it printed."""
    given = processes.environment(**environment)
    return subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=given, capture_output=True, text=True
    )


def run(command: str, folder: Path, **environment: str) -> str:
    """Run a shell command that must succeed, and return what it printed.

    Raises:
        OSError: if it fails; the message has its output.
    """
    done = call(command, folder, **environment)
    if done.returncode:
        raise OSError(f"{command} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def ran(output: str) -> list[str]:
    """Return the stages that a `dvc repro` ran."""
    return re.findall(r"Running stage '([^']+)'", output)


def results(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every result file but timing.csv, which holds times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "results").rglob("*")
        if path.is_file() and path.name != "timing.csv"
    }


def query(folder: Path, sql: str) -> list[tuple]:
    """Return the rows of a query on MLflow's store."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        return store.execute(sql).fetchall()
