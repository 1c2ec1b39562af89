"""`python -m stages repro`, which `make repro` runs: `dvc repro` with both cores kept busy."""

import subprocess
import sys
from pathlib import Path

from stages.commands import warm
from stages.commands.sweep import sweep


def repro() -> None:
    """Prepare the data, train all variants together, run all other stages, print the table."""
    with warm.started():
        _dvc("prepare")
        sweep()
        _dvc()
    print(Path("results/comparison.md").read_text(encoding="utf-8"), end="")


def _dvc(*stages: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", *stages], check=False)
    if done.returncode:
        sys.exit(done.returncode)
