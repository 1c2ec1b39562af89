"""Run commands in forks of this process, which faults.c watches: it counts their system calls.

A process starts for seconds until it has imported what a command needs, so `again` starts this one
once, with the library preloaded, and each command runs in a fork.
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

from benchmarks import measured, processes
from stages.commands.process import end_in_order, exit_status

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
    said: str  # on stderr
    counts: dict[str, int]  # kind -> calls
    at: str  # the path of the call that failed, in the watched folder; "" if none did
    flushing: float  # seconds in fsync


def again(module: str, arguments: Sequence[str], folder: Path) -> int:
    """Run a module with the library preloaded and return its status; `folder` is for its files."""
    (folder / "shared").write_bytes(bytes(ctypes.sizeof(Shared)))
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=library(folder), check=False).returncode


def library(folder: Path) -> dict[str, str]:
    """Build the library in a folder, and return the environment that preloads it.

    Calls below `folder`/work count, in `folder`/shared, and are logged in `folder`/log.

    Raises:
        OSError: when there is no C compiler.
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


def is_preloaded() -> bool:
    """Say whether `again` has started this process."""
    return "FAULTS_SHARED" in os.environ


class Watched:
    """The folder in which system calls count, and what the library shares with this process."""

    def __init__(self) -> None:
        """Map the shared memory, and import what most commands need."""
        from stages.commands import warm

        self.folder = Path(os.environ["FAULTS_FOLDER"])
        self.log = Path(os.environ["FAULTS_LOG"])
        with open(os.environ["FAULTS_SHARED"], "r+b") as file:
            self._shared = Shared.from_buffer(mmap.mmap(file.fileno(), 0))
        for name in (*warm.MODULES, "stages.commands.line"):
            importlib.import_module(name)

    def run(self, command: Sequence[str], fault: tuple[str, int, str] | None = None) -> Ended:
        """Run `python -m stages` with these arguments in the folder.

        `fault` is the kind of a call, its number from 1, and one of ERRORS.
        """
        shared = self._shared
        ctypes.memset(ctypes.addressof(shared), 0, ctypes.sizeof(shared))
        shared.kind = -1
        if fault:
            kind, shared.nth, error = fault
            shared.kind, shared.error = KINDS.index(kind), ERRORS[error]
        return self._forked(command)

    def record(self, command: Sequence[str]) -> Ended:
        """Run a command and log its calls in `log`, from the start."""
        self.log.unlink(missing_ok=True)
        shared = self._shared
        ctypes.memset(ctypes.addressof(shared), 0, ctypes.sizeof(shared))
        shared.kind, shared.logs = -1, 1
        try:
            return self._forked(command)
        finally:
            shared.logs = 0

    def _forked(self, command: Sequence[str]) -> Ended:
        output = self.folder.parent / "stderr"
        output.unlink(missing_ok=True)  # a killed command's processes may still write to theirs
        if (child := os.fork()) == 0:
            _become(command, self.folder, output)
        _, status = os.waitpid(child, 0)
        self._shared.kind = -1
        counts = dict(zip(KINDS, self._shared.count, strict=True))
        at = os.path.relpath(self._shared.at.decode(), self.folder) if self._shared.at else ""
        said = output.read_text(encoding="utf-8", errors="replace")
        flushing = self._shared.flushing / 1e9
        return Ended(os.waitstatus_to_exitcode(status), said, counts, at, flushing)


def _become(command: Sequence[str], folder: Path, output: Path) -> None:
    """Run a command in this fork, as `python -m stages` would, and end it."""
    os._exit(exit_status(lambda: _run(command, folder, output)))


def _run(command: Sequence[str], folder: Path, output: Path) -> None:
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
    end_in_order()
    handle(lambda: run(command))
