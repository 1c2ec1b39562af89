"""Ways to bring about faults: a full or read-only disk, no network, a clock that runs backwards."""

import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

# as sitecustomize.py: Python's clock runs backwards by five hours per second of the process
BACKWARDS = """
import time
true, began = time.time, time.monotonic()
time.time = lambda: true() - 18000 * (time.monotonic() - began)
"""


def offline():
    """Return whether a process may be started without any network, not even loopback."""
    unshare = shutil.which("unshare")
    return (
        unshare and not subprocess.run([unshare, "--net", "true"], capture_output=True).returncode
    )


@contextmanager
def disk(folder, options):
    """Mount an empty file system at `folder`, or skip the test."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    refused = subprocess.run(command, capture_output=True, text=True)
    if refused.returncode:
        pytest.skip(f"a file system cannot be mounted here: {refused.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def fill(disk, room):
    """Fill a file system except for `room` bytes, and return the file that fills it."""
    path = disk / "full"
    path.write_bytes(bytes(shutil.disk_usage(disk).free - room))
    return path


def trainers(process):
    """Return the worker processes of a training, which have TensorFlow but no children."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(OSError, psutil.Error):  # it has just ended
            loaded = "tensorflow" in Path(f"/proc/{child.pid}/maps").read_text()
            if loaded and not child.children():
                found.append(child.pid)
    return found
