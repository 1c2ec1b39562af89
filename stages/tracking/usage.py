"""CPU and memory of a training's processes, sampled while it is tracked live.

The samples are kept with the folds, so that publishing can repeat them. MLflow is not imported.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from stages.files import root

COLUMNS = ("time", "cpu_utilization_percentage", "process_memory_megabytes")
SECONDS = 5.0  # between samples


def path(fingerprint: str) -> Path:
    """Return the CSV file of a training's samples; times are ms since 1970.

    CPU is in percent of all cores of this machine. Memory is resident memory, in which shared pages
    count once per process. Workers on other machines are not included.
    """
    return root() / ".foldlab" / "folds" / fingerprint / "usage.csv"


def watch(file: Path) -> Iterator[None]:
    """Append a sample of the parent process at each `next`, if one is due."""
    training = psutil.Process(os.getppid())
    last, before = time.time(), _measure(training)[0]
    while True:
        yield
        now = time.time()
        if now - last < SECONDS:
            continue
        seconds, megabytes = _measure(training)
        percent = 100 * max(0, seconds - before) / (now - last) / (os.cpu_count() or 1)
        header = "" if file.exists() else ",".join(COLUMNS) + "\n"
        with file.open("a") as rows:
            rows.write(f"{header}{now * 1000:.0f},{percent:.1f},{megabytes:.0f}\n")
        last, before = now, seconds


def _measure(process: psutil.Process) -> tuple[float, float]:
    """Return CPU seconds and megabytes of a process and those it started, except this one."""
    seconds = megabytes = 0.0
    with suppress(psutil.Error):  # ended
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error), each.oneshot():
                if each.pid != os.getpid():
                    seconds += sum(each.cpu_times()[:2])
                    megabytes += each.memory_info().rss / 1e6
    return seconds, megabytes
