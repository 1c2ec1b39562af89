"""Run commands in forks of this process, where faults.c counts their system calls.

Imports take seconds, so `restart` starts this process once, with the library preloaded, and each
command runs in a fork.
"""

import ctypes
import errno
import importlib
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import inputs, measured, processes
from stages.commands.process import exit_on_sigterm, exit_status

SOURCE = measured.HERE / "faults.c"
KINDS = ("open", "write", "fsync", "rename", "mkdir")
ERRORS = {"short": -1, "kill": -2, "ENOSPC": errno.ENOSPC, "EIO": errno.EIO}
LIMIT = 300  # s that a command may take


class Shared(ctypes.Structure):
    """The memory that all watched processes share: `struct shared` of faults.c."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("kind", "nth", "error", "logs")),
        ("count", ctypes.c_long * len(KINDS)),
        ("flushing", ctypes.c_long),
        ("at", ctypes.c_char * 4096),
    )


class Ended(NamedTuple):
    """How a command ended."""

    status: int  # negative: the signal that killed it
    stderr: str
    counts: dict[str, int]  # kind -> calls
    at: str  # the path of the call that failed, in the watched folder; "" if none did
    flushing: float  # seconds in fsync


def restart(module: str) -> None:
    """Unless the library is preloaded, run this command again with it, and exit with its status."""
    if "FAULTS_SHARED" in os.environ:
        return
    with inputs.temporary_folder() as folder:
        (folder / "shared").write_bytes(bytes(ctypes.sizeof(Shared)))
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        sys.exit(subprocess.run(command, env=library(folder), check=False).returncode)


def library(folder: Path) -> dict[str, str]:
    """Build the library in a folder, and return the environment that preloads it.

    Calls below `folder`/work are counted in `folder`/shared, and can be logged in `folder`/log.

    Raises:
        OSError: if there is no C compiler.
    """
    built = folder / "faults.so"
    build = ["cc", "-shared", "-fPIC", "-O2", "-o", built, SOURCE, "-ldl"]
    subprocess.run(build, check=True)
    return processes.environment(
        PYTHONPATH=str(processes.CODE),
        LD_PRELOAD=str(built),
        FAULTS_FOLDER=str(folder / "work"),
        FAULTS_SHARED=str(folder / "shared"),
        FAULTS_LOG=str(folder / "log"),
    )


class Watched:
    """The folder in which system calls count, and what the library shares with this process."""

    def __init__(self, workers: int) -> None:
        """Map the shared memory, and import what most commands need.

        `workers` is `parallel.jobs` of the commands. With one, they train in their own process, and
        TensorFlow is imported here too.
        """
        from stages.commands import warm
        from stages.training.tf_runtime import load_tensorflow

        self.workers = workers
        self.folder = Path(os.environ["FAULTS_FOLDER"])
        self.log = Path(os.environ["FAULTS_LOG"])
        with open(os.environ["FAULTS_SHARED"], "r+b") as file:
            self._shared = Shared.from_buffer(mmap.mmap(file.fileno(), 0))
        for name in (*warm.MODULES, "stages.commands.cli"):
            importlib.import_module(name)
        if workers == 1:
            load_tensorflow()

    def run(
        self, command: Sequence[str], fault: tuple[str, int, str] | None = None, log: bool = False
    ) -> Ended:
        """Run `python -m stages` with these arguments in the folder.

        `fault` is the kind of a call, its number from 1, and one of ERRORS; with `log`, calls are
        logged in `self.log`.
        """
        shared = self._shared
        ctypes.memset(ctypes.addressof(shared), 0, ctypes.sizeof(shared))
        shared.kind, shared.logs = -1, log
        if log:
            self.log.unlink(missing_ok=True)
        if fault:
            kind, shared.nth, error = fault
            shared.kind, shared.error = KINDS.index(kind), ERRORS[error]
        output = self.folder.parent / "stderr"
        output.unlink(missing_ok=True)  # processes of a killed command may still write to it
        if (child := os.fork()) == 0:
            os._exit(exit_status(lambda: _become(command, self.folder, output)))
        _, status = os.waitpid(child, 0)
        shared.kind, shared.logs = -1, 0
        counts = dict(zip(KINDS, shared.count, strict=True))
        at = os.path.relpath(shared.at.decode(), self.folder) if shared.at else ""
        stderr = output.read_text(encoding="utf-8", errors="replace")
        flushing = shared.flushing / 1e9
        return Ended(os.waitstatus_to_exitcode(status), stderr, counts, at, flushing)


def _become(command: Sequence[str], folder: Path, output: Path) -> None:
    """Run a command in this fork, as `python -m stages` would."""
    from stages.__main__ import handle, run
    from stages.tracking import DEFAULTS

    os.setpgid(0, 0)
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT, 0o600), 2)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    os.chdir(folder)
    os.environ.update(DEFAULTS)
    signal.alarm(LIMIT)
    exit_on_sigterm()
    handle(lambda: run(command))
