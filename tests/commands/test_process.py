import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages import files

HERE = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from stages.commands import process
from stages.__main__ import handle
def stage(variant: str) -> None:
    if variant == "wait":
        try:
            print("started", flush=True); time.sleep(60)
        finally:
            print("tidied", flush=True)
    if variant == "collect":
        class Loop: pass
        def slow(reference): print("started", flush=True); time.sleep(1)
        import weakref
        loop = Loop(); reference = weakref.ref(loop, slow)
        del loop
        time.sleep(60)
    print("did", variant)
process.end_in_order()
handle(lambda: stage(sys.argv[1]))
"""


def test_sigterm_ends_in_order():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "wait"], cwd=HERE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.terminate()
        assert process.stdout.read() == "tidied\n"
    assert process.returncode == 143


def test_sigterm_ends_also_while_garbage_is_collected():
    """The exception is dropped in a weak reference's callback; only a second signal ends it."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "collect"], cwd=HERE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.terminate()
        assert process.wait(timeout=20) == 143


@pytest.mark.parametrize("doing", ["wait", "collect"])
def test_an_interrupt_ends_with_a_sentence_also_while_garbage_is_collected(doing):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, doing],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert said == "foldlab: stopped; the same command goes on from here.\n"
    assert process.returncode == 130


def test_the_root_is_the_working_folder_or_what_dvc_says(monkeypatch, tmp_path):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert files.root() == tmp_path
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert files.root() == Path("/elsewhere")


def test_a_path_is_sought_in_the_working_folder_then_in_the_repository(monkeypatch, tmp_path):
    working = tmp_path / "repository/experiment"
    (working / "both").mkdir(parents=True)
    for name in ("both", "there"):
        (tmp_path / "repository" / name).mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    assert files.find("both") == working / "both"
    for name in ("there", "nowhere"):
        assert files.find(name) == tmp_path / "repository" / name
        assert files.find(str(tmp_path / name)) == tmp_path / name


EXCLUSIVE = """
import sys
from stages.commands import process
def stage(variant: str) -> None:
    print("began", flush=True)
    sys.stdin.read()
process.exclusive(stage)(variant=sys.argv[1])
"""


def start(folder, variant):
    return subprocess.Popen(
        [sys.executable, "-c", EXCLUSIVE, variant],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", ["well", "killed"])
def test_a_stage_waits_for_the_same_one_that_another_process_runs(tmp_path, end):
    first = start(tmp_path, "basic")
    assert first.stdout.readline() == "began\n"
    second, other = start(tmp_path, "basic"), start(tmp_path, "other")
    assert "stage-basic" in second.stderr.readline()
    assert other.stdout.readline() == "began\n"
    if end == "killed":
        first.kill()
    first.communicate("")
    assert second.stdout.readline() == "began\n"
    for process in (second, other):
        process.communicate("")
        assert process.returncode == 0
