import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stages.commands import ui
from stages.errors import UserError
from stages.settings.sections import Tracking
from stages.tracking import store, view
from tests.prepared import write
from tests.tracking.served import free_port, inherited


@pytest.fixture
def started(folder, monkeypatch):
    """Work in a repository; return the command lines of the servers that are started."""
    write(folder)
    commands = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **named: commands.append(command))
    return commands


@pytest.mark.slow
def test_the_address_is_printed_when_the_server_of_the_chosen_experiment_answers(
    repository, monkeypatch
):
    with store.opened(Tracking(experiment="another")) as client:
        another = client.experiment_id
    path = Path("params.yaml")
    path.write_text(path.read_text() + "\ntracking: {experiment: another}\n")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    port = free_port()
    command = [sys.executable, "-m", "stages", "ui", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=inherited()) as process:
        try:
            lines = iter(process.stdout.readline, "")
            address = next(line.strip() for line in lines if "viewStateShareKey" in line)
            with socket.create_connection((ui.HOST, port)):  # the server listens
                pass
        finally:
            process.terminate()
    assert address == view.address(f"http://{ui.HOST}:{port}", another)
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ui.HOST, port))


def test_a_port_in_use_is_refused_before_anything_starts(started):
    with socket.socket() as taken:
        taken.bind((ui.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"PORT={port + 1}"):
            ui.ui(port)
    assert started == []


def test_a_server_s_own_address_is_named_without_its_password(started, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example/team")
    with pytest.raises(UserError, match=r"https://mlflow\.example/team") as refused:
        ui.ui(5000)
    assert "secret" not in str(refused.value)
    assert started == []
