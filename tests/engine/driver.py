"""A separate process whose main module runs some lines of code."""

import os
import subprocess
import sys

from benchmarks import inputs

HEADER = """
import multiprocessing, os, time
from functools import partial
from operator import neg
from pathlib import Path
import numpy as np
from stages import __main__
from stages.engine import workers
"""


def start(folder, code, command=(sys.executable,), **kwargs):
    """Start a process whose main module runs the lines of `code`."""
    lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
    (folder / "driver.py").write_text(f'{HEADER}if __name__ == "__main__":\n{lines}')
    paths = f"{folder}:{inputs.ROOT}"
    environment = os.environ | {"PYTHONPATH": paths} | kwargs.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, folder / "driver.py"], env=environment, **pipes, **kwargs)


def output(*given, **named):
    """Return what a driver prints to stdout, followed by stderr."""
    return "".join(start(*given, **named).communicate(timeout=60))
