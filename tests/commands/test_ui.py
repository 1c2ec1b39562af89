import os
import re
import socket

import pytest

from stages.commands import ui
from stages.errors import UserError
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.prepared import write


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Work in a repository; return the command lines of the servers that are started."""
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    commands = []
    monkeypatch.setattr(os, "execv", lambda path, command: commands.append(command))
    return commands


@pytest.mark.slow
def test_the_address_is_that_of_the_chosen_experiment(started, tmp_path, capsys):
    with store.opened(Tracking(experiment="another")) as client:
        another = client.experiment_id
    ui.ui(5123)
    printed = capsys.readouterr().out
    with store.opened(Tracking()) as client:
        experiment = client.experiment_id
    assert re.search(rf"http://127\.0\.0\.1:5123/#/experiments/{experiment}/runs", printed)
    assert experiment != another
    (command,) = started
    assert command[command.index("--port") + 1] == "5123"
    assert command[-1] == f"sqlite:///{tmp_path}/mlflow.db"


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
