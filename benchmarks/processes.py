"""Commands in folders of their own, as a user starts them, and what each costs with its children.

Memory is the proportional set size summed over the process tree: pages that several processes
share, such as memory-mapped images, count once.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from benchmarks import accuracy
from stages import files

CODE = Path(__file__).parents[1]
SAMPLING = 0.2  # s between two looks at a process tree, at least
LINGERING = 60.0  # s that children may outlive their command
FOREIGN = ("MLFLOW_", "DVC_", "GIT_", "TF_", "OMP_", "PYTHON")


class Cost(NamedTuple):
    """What one command took: seconds on the clock, of all processors, and MiB at the peak."""

    seconds: float
    processor_seconds: float
    peak_mib: float


def environment(**more: str) -> dict[str, str]:
    """Return what a user's shell holds, with this Python's commands first and this code on path."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {
        "PATH": path,
        "PYTHONPATH": str(CODE),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **more,
    }


def cost(command: Sequence[str], folder: Path, looking: float = 0.01, **more: str) -> Cost:
    """Run a command that must succeed and return what it cost, child processes included.

    It returns when the children have ended too, such as the one that shows a training in MLflow:
    their last seconds are not the user's, and would disturb the next command. Processor time is
    the system's account of the process and of the descendants that were waited for, or the sum over
    the samples of all processes seen, whichever is more; samples miss the last moments of each.
    `looking` is the share of a core that looks at memory may take: with more, they are denser.

    Raises:
        OSError: when it fails; with the end of what it said.
    """
    output = folder / ".output"
    with output.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**more), stdout=file, stderr=subprocess.STDOUT
        )
        peak, seen, ended = [0], {}, threading.Event()
        about = (process.pid, peak, seen, ended, looking)
        watcher = threading.Thread(target=_watch, args=about)
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
        said = output.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise OSError(f"{' '.join(command)} ended with status {process.returncode}: {said}")
    processor = max(usage.ru_utime + usage.ru_stime, sum(seen.values()))
    return Cost(round(seconds, 3), round(processor, 3), round(peak[0] / 2**20, 1))


def _watch(
    pid: int,
    peak: list[int],
    seen: dict[psutil.Process, float],
    ended: threading.Event,
    looking: float,
) -> None:
    """Note the greatest memory of a process tree, and each process' time, until `ended` is set.

    A look at gigabytes takes the kernel a while: pauses are such that looks take the share
    `looking` of a core.
    """
    took = 0.0
    while not ended.wait(max(SAMPLING, took / looking)):
        began = time.thread_time()
        memory = 0
        with suppress(psutil.Error):
            top = psutil.Process(pid)
            for process in [top, *top.children(recursive=True)]:
                with suppress(psutil.Error):
                    memory += process.memory_full_info().pss
                    seen[process] = sum(process.cpu_times()[:2])
        peak[0] = max(peak[0], memory)
        took = time.thread_time() - began


def stage(name: str, *arguments: str) -> list[str]:
    """Return the command of a stage."""
    return [sys.executable, "-m", "stages", name, *arguments]


def settings(row: str, **over: Any) -> dict[str, Any]:
    """Return params.yaml with what full MNIST takes, for one row alone, and `over` on top."""
    base = yaml.safe_load((CODE / "params.yaml").read_text(encoding="utf-8"))
    base = accuracy.merged(base, accuracy.ROWS["settings"])
    base = accuracy.merged(base, accuracy.ROWS["rows"].get(row, {}).get("settings", {}))
    base["compare"] |= {"variants": [row], "baseline": row}
    return accuracy.merged(base, over)


def data(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the section `data`: MNIST, from --data where it is given; 5,000 digits for --quick."""
    if chosen.quick:
        return {"source": "mnist-5k", "limit": 200}
    folder = str(chosen.data.resolve()) if chosen.data else None
    return {"source": "mnist", "folder": folder, "limit": getattr(chosen, "images", None)}


def make(folder: Path, chosen: Mapping[str, Any], prepared: Path | None = None) -> Path:
    """Make a folder with settings and prepared data: those of `prepared`, or by the stage.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    with files.replacing(folder / "params.yaml") as beside:
        beside.write_text(yaml.safe_dump(dict(chosen), sort_keys=False), encoding="utf-8")
    if prepared:
        (folder / "data").symlink_to(prepared / "data", target_is_directory=True)
    else:
        cost(stage("prepare"), folder)
    return folder


def parser(about: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments that all benchmarks share."""
    result = argparse.ArgumentParser(description=about.splitlines()[0])
    result.add_argument("--quick", action="store_true", help="seconds, to try the command")
    result.add_argument("--data", type=Path, help="folder of MNIST; else FOLDLAB_DATA, or download")
    result.add_argument("--folder", type=Path, help="where the record goes instead")
    return result


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return the median and every single value."""
    return {"median": statistics.median(values), "all": list(values)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Return the ratio of the medians, and of each pair of neighbouring runs."""
    pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
    of_medians = statistics.median(ours) / statistics.median(theirs)
    return {"of_medians": of_medians, "pairs": pairs, "low": min(pairs), "high": max(pairs)}
