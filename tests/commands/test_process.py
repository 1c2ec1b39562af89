import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.inputs import ROOT
from stages.commands.process import exclusive
from stages.errors import UserError

STOPPED = """
import sys, time, weakref
from stages.__main__ import handle
from stages.commands import process
def wait():
    try:
        print("started", flush=True); time.sleep(60)
    finally:
        print("tidied", flush=True)
def collect():
    class Loop: pass
    def slow(reference): print("started", flush=True); time.sleep(0.5)
    loop = Loop(); reference = weakref.ref(loop, slow)
    del loop
    time.sleep(60)
process.exit_on_sigterm()
handle({"wait": wait, "collect": collect}[sys.argv[1]])
"""
EXCLUSIVE = """
import sys
from stages.commands.process import exclusive
with exclusive(sys.argv[1]):
    print("began", flush=True)
    sys.stdin.read()
"""


def start(program, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("doing", ["wait", "collect"])
def test_a_signal_ends_a_process_in_order_even_while_garbage_is_collected(doing, number, status):
    """Python drops an exception in a weak reference's callback; only a second signal ends it."""
    process = start(STOPPED, doing, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert process.stdout.readline() == "started\n"
    time.sleep(0.1)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == status
    assert stdout == ("tidied\n" if doing == "wait" else "")
    assert stderr.count("\n") == (number == signal.SIGINT)
    assert "Traceback" not in stderr


@pytest.mark.parametrize("end", ["well", "killed"])
def test_a_stage_waits_for_the_same_one_that_another_process_runs(tmp_path, end):
    first = start(EXCLUSIVE, "train-basic", cwd=tmp_path)
    assert first.stdout.readline() == "began\n"
    second, other = (start(EXCLUSIVE, f"train-{name}", cwd=tmp_path) for name in ("basic", "other"))
    assert "train-basic" in second.stderr.readline()
    assert other.stdout.readline() == "began\n"
    if end == "killed":
        first.kill()
    first.communicate("")
    assert second.stdout.readline() == "began\n"
    for process in (second, other):
        process.communicate("")
        assert process.returncode == 0


def test_a_folder_that_cannot_be_locked_in_is_refused(folder):
    Path(".foldlab").touch()
    with pytest.raises(UserError, match=r"train\.lock"), exclusive("train"):
        pass


FORKED = """
import atexit, os, sys
from stages.commands.process import exit_status
atexit.register(os.write, 1, b"exit handler")
def command():
    {}
if os.fork() == 0:
    os._exit(exit_status(command))
os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.parametrize(
    ("command", "status", "last_line"),
    [
        ("pass", 0, []),
        ("sys.exit()", 0, []),
        ("sys.exit(130)", 130, []),
        ("sys.exit('foldlab: no.')", 1, ["foldlab: no."]),
        ("raise ValueError('a bug')", 1, ["ValueError: a bug"]),
        ("import joblib; joblib.Parallel(2)(joblib.delayed(abs)(n) for n in range(4))", 0, []),
    ],
)
def test_a_forked_command_ends_as_a_process_does(command, status, last_line):
    process = start(FORKED.format(command))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert output == "exit handler"
    assert errors.splitlines()[-1:] == last_line
