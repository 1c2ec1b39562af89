"""A benchmark's `--quick` form, run as its command is."""

import subprocess
import sys
from pathlib import Path

from stages.files import read_json

CODE = Path(__file__).parents[2]


def record(name, folder, *arguments):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--folder", str(folder)]
    done = subprocess.run([*command, *arguments], cwd=CODE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = read_json(Path(done.stdout.splitlines()[-1]))
    assert {"commit", "processor", "versions"} <= set(found["environment"])
    return found
