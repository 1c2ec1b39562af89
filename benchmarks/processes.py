"""Run commands as a user would, and measure their cost with that of their child processes.

Memory is the proportional set size summed over the process tree: pages that several processes
share, such as memory-mapped images, count once.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

CODE = Path(__file__).parents[1]
SAMPLING = 0.2  # minimum s between two measurements of a process tree
LINGERING = 60.0  # s that children may outlive their command
# Variables of this process that a user's shell would not have; ONEDNN_ is set by portable kernels.
FOREIGN = ("MLFLOW_", "DVC_", "GIT_", "TF_", "OMP_", "ONEDNN_", "PYTHON")


class Cost(NamedTuple):
    """The cost of one command: wall time, processor time and peak memory."""

    seconds: float
    processor_seconds: float
    peak_mib: float


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a user's shell, with this Python's commands first in PATH."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", **more}


def cost(command: Sequence[str], folder: Path, sampling_share: float = 0.01, **more: str) -> Cost:
    """Run a command that must succeed and return what it cost, child processes included.

    It also waits for children that outlive the command, such as the one that shows a training in
    MLflow: a user would not wait for them, but they would disturb the next command. Processor time
    is the larger of two figures: the system's account of the process and the descendants that it
    waited for, or the sum over all processes sampled, which misses the last moments of each.

    Args:
        command: run with this code on Python's path, so that the folder needs none.
        folder: where.
        sampling_share: the share of a core that may be spent on measuring memory.
        more: environment variables.

    Raises:
        OSError: if it fails; the message has the end of its output.
    """
    peak, seen, ended = 0, {}, threading.Event()

    def watch(pid: int) -> None:
        nonlocal peak
        took = 0.0
        while not ended.wait(max(SAMPLING, took / sampling_share)):  # slow with many pages
            began = time.thread_time()
            memory = 0
            with suppress(psutil.Error):
                top = psutil.Process(pid)
                for process in [top, *top.children(recursive=True)]:
                    with suppress(psutil.Error):
                        memory += process.memory_full_info().pss
                        seen[process] = sum(process.cpu_times()[:2])
            peak = max(peak, memory)
            took = time.thread_time() - began

    output, given = folder / ".output", environment(**{"PYTHONPATH": str(CODE)} | more)
    with output.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=given, stdout=file, stderr=subprocess.STDOUT
        )
        watcher = threading.Thread(target=watch, args=(process.pid,))
        watcher.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            ended.set()
            watcher.join()
            psutil.wait_procs(seen, timeout=LINGERING)
    if process.returncode:
        tail = output.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise OSError(f"{' '.join(command)} ended with status {process.returncode}: {tail}")
    processor = max(usage.ru_utime + usage.ru_stime, sum(seen.values()))
    return Cost(round(seconds, 3), round(processor, 3), round(peak / 2**20, 1))


def run_stage(folder: Path, *command: str, sampling_share: float = 0.01) -> Cost:
    """Run `python -m stages` with a command in a folder; see `cost`."""
    return cost([sys.executable, "-m", "stages", *command], folder, sampling_share)


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return the median and every single value."""
    return {"median": statistics.median(values), "all": list(values)}


def summaries(costs: Sequence[Cost]) -> dict[str, dict[str, Any]]:
    """Return the summary of each measure of several runs of a command."""
    return {name: summary([getattr(cost, name) for cost in costs]) for name in Cost._fields}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Return the ratio of the medians, and of each pair of neighbouring runs."""
    pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
    of_medians = statistics.median(ours) / statistics.median(theirs)
    return {"of_medians": of_medians, "pairs": pairs, "low": min(pairs), "high": max(pairs)}
