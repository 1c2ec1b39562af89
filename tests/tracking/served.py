"""Servers as separate processes, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def inherited(**more):
    """Return this environment without anything that names a store, and with `more`."""
    foreign = ("MLFLOW_", "AWS_", "DVC_", "PG", "GIT_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": str(Path(__file__).parents[2]), **more}


def answers(address):
    """Return a function that raises until a server answers at the address."""
    return lambda: urllib.request.urlopen(address, timeout=1).close()


@contextmanager
def running(command, log, ready, **keywords):
    """Run a server until the block ends; `ready` raises until it answers."""
    with log.open("a") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, **keywords
        )
    try:
        end = time.monotonic() + 120
        while True:
            try:
                ready()
                break
            except Exception:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
        yield process
    finally:
        with suppress(ProcessLookupError):  # a test has killed it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Server:
    """An `mlflow server` that can be started again."""

    def __init__(self, folder):
        self.folder, self.port, self.stack = folder, free_port(), ExitStack()
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        command += ["--artifacts-destination", str(self.folder / "mlartifacts")]
        environment = inherited(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        ready = answers(f"{self.uri}/health")
        server = running(command, self.folder / "log", ready, env=environment)
        self.process = self.stack.enter_context(server)
