"""A warm process for `python -m stages repro`: it has imported the libraries that stages need.

A stage command sends it its arguments, environment, working folder and standard streams through a
Unix socket; it forks a child that runs the command there. The imports of scikit-learn, matplotlib
and MLflow, seconds for each of some 30 commands, happen only once. Without a warm process, as in a
plain `dvc repro`, or if the code was edited after the warm process imported it, a command runs in
its own process, with the same results.
"""

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stages.commands.process import exit_on_sigterm, exit_status
from stages.tracking import DEFAULTS

ADDRESS = "FOLDLAB_WARM_PROCESS"  # environment variable with the path of the socket
SIGNALS = (signal.SIGTERM, signal.SIGINT)  # that the caller forwards to the command
STAGES: tuple[str, ...] = ("environment", "prepare", "members", "train", "evaluate", "plot")
STAGES += ("publish", "compare", "champion")
MODULES = (
    *(f"stages.{name}" for name in STAGES[:-1]),
    "stages.commands.champion",
    "stages.tracking.runs",
    "stages.tracking.comparison",
    "mlflow.store.tracking.sqlalchemy_store",
)


@contextmanager
def started() -> Iterator[None]:
    """Let the stage commands that are started in the block use a warm process.

    A nested block uses the process of the outer one.
    """
    if ADDRESS in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        if len(path) > 100:  # the system's limit is 107 bytes
            yield
            return
        server = subprocess.Popen(
            [sys.executable, "-m", "stages", "warm", path],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches a command once, through its caller
        )
        os.environ[ADDRESS] = path
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            server.terminate()  # it may still be importing
            server.wait()


def ask(arguments: list[str]) -> int | None:
    """Run a command in the warm process; return its exit status, None without a warm process."""
    path = os.environ.get(ADDRESS)
    if not path or not arguments or arguments[0] not in STAGES:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:  # still importing, or gone
        return None
    request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    with connection, connection.makefile("r") as answer, ExitStack() as stack:
        with _signals_held():
            child = ""
            with suppress(OSError):
                socket.send_fds(connection, [b"0"], [0, 1, 2])
                connection.sendall(json.dumps(request).encode() + b"\n")
                child = answer.readline()
            if not child:
                return None  # the warm process ended before it forked
            stack.enter_context(_signals_sent_to(int(child)))
        return int(answer.readline() or 1)  # empty if the child was killed


@contextmanager
def _signals_held() -> Iterator[None]:
    """Defer signals until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _signals_sent_to(process: int) -> Iterator[None]:
    handlers = {
        number: signal.signal(number, lambda number, _: os.kill(process, number))
        for number in SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def warm(path: str) -> None:
    """Import what stages need, then run commands until standard input ends or code is edited."""
    from stages.commands.edits import digests  # not in a caller, which needs no NumPy

    code = [Path(__file__).parents[1]]
    imported = digests(code)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps children
    for name in MODULES:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            if digests(code) != imported:
                return  # DVC would record the new code for results of the old code
            if os.fork() == 0:
                listener.close()
                _run(connection)
            connection.close()


def _run(connection: socket.socket) -> None:
    """Run one command in this forked process, send its exit status, and end."""
    status = exit_status(lambda: _receive_and_run(connection))
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        connection.sendall(f"{status}\n".encode())
    os._exit(status)


def _receive_and_run(connection: socket.socket) -> None:
    from stages.__main__ import handle, run

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r") as lines:
        line = lines.readline()
    if not line.endswith("\n"):
        sys.exit(1)  # the caller was killed
    request = json.loads(line)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(DEFAULTS | request["environment"])

    def command() -> None:
        connection.sendall(f"{os.getpid()}\n".encode())
        run(request["arguments"])

    exit_on_sigterm()
    handle(command)
