import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.inputs import ROOT, SHIPPED
from stages.commands import warm

SMALL = """
from stages.commands import warm
warm.MODULES = ()
warm.warm("socket")
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        with warm.started():
            while not Path(os.environ[warm.ADDRESS]).exists():
                time.sleep(0.1)
            yield
    finally:
        os.chdir(before)


@pytest.fixture
def folder(server, folder):
    shutil.copy(SHIPPED, folder)
    return folder


def test_a_stage_runs_in_the_folder_of_its_caller(folder):
    assert warm.ask(["members"]) == 0
    assert (folder / "data/members/basic.json").exists()


def test_output_status_and_environment_are_those_of_the_command(folder, monkeypatch, capfd):
    assert warm.ask(["evaluate", "basic"]) == 1
    assert "dataset.json" in capfd.readouterr().err
    assert warm.ask(["evaluate"]) == 2  # click: the variant is missing
    monkeypatch.setenv("DVC_ROOT", "/proc/none")
    assert warm.ask(["publish", "nobody"]) == 1
    assert "nobody" in capfd.readouterr().err


def test_only_stages_are_sent(folder):
    assert warm.ask(["predict", "image.png"]) is None
    assert warm.ask([]) is None


def test_a_caller_killed_in_its_request_leaves_no_child(folder):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(os.environ[warm.ADDRESS])
        socket.send_fds(caller, [b'{"arguments": ["mem'], [0, 1, 2])
        caller.shutdown(socket.SHUT_WR)
        caller.settimeout(20)
        assert caller.recv(1) in (b"", b"1")  # the child ends, with or without a status


def test_a_block_within_another_uses_its_process(folder):
    address = os.environ[warm.ADDRESS]
    with warm.started():
        assert os.environ[warm.ADDRESS] == address
    assert warm.ask(["members"]) == 0


def test_without_a_warm_process_a_command_runs_by_itself(tmp_path, monkeypatch):
    monkeypatch.setenv(warm.ADDRESS, str(tmp_path / "socket"))
    assert warm.ask(["members"]) is None


@pytest.mark.parametrize("edited", ["figures/style.py", "report/report.html.j2"])
def test_after_an_edit_of_its_code_commands_run_by_themselves(tmp_path, monkeypatch, edited):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SHIPPED, tmp_path)
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    monkeypatch.setenv(warm.ADDRESS, str(tmp_path / "socket"))
    command = [sys.executable, "-c", SMALL]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as small:
        while not Path("socket").exists():
            assert small.poll() is None
            time.sleep(0.05)
        assert [warm.ask(["members"]) for _ in range(3)] == [0] * 3
        (tmp_path / "stages" / edited).write_text("new")
        assert [warm.ask(["members"]) for _ in range(2)] == [None] * 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_reaches_the_command(folder, number, status):
    lock = folder / ".foldlab" / "running" / "members.lock"
    lock.parent.mkdir(parents=True)
    from filelock import FileLock

    command = [sys.executable, "-m", "stages", "members"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (
        FileLock(lock),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as waiting,
    ):
        assert "another process runs members" in waiting.stderr.readline()
        waiting.send_signal(number)
        assert waiting.wait(timeout=20) == status
        assert "Traceback" not in waiting.stderr.read()


def test_a_signal_before_the_command_is_known_reaches_it_too(tmp_path):
    path = tmp_path / "socket"
    environment = os.environ | {"PYTHONPATH": str(ROOT), warm.ADDRESS: str(path)}
    with socket.socket(socket.AF_UNIX) as listener, subprocess.Popen(["sleep", "60"]) as child:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(60)
        caller = subprocess.Popen([sys.executable, "-m", "stages", "members"], env=environment)
        connection, _ = listener.accept()
        with connection:
            socket.recv_fds(connection, 1, 3)
            with connection.makefile("r") as request:
                request.readline()
            caller.send_signal(signal.SIGTERM)
            connection.sendall(f"{child.pid}\n".encode())
            assert child.wait(timeout=20) == -signal.SIGTERM
            connection.sendall(b"143\n")
        assert caller.wait(timeout=20) == 143
