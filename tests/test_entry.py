import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages import entry

HERE = Path(__file__).parents[1]
PROGRAM = """
import sys, time
from stages import entry
def stage(variant: str) -> None:
    '''Do something.'''
    if variant == "value": raise ValueError("x is 1; give 2.")
    if variant == "system": raise PermissionError(13, "Permission denied", "results")
    if variant == "ours": raise KeyError("bug")
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
entry.run(stage, variant="a row")
"""


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=HERE, capture_output=True, text=True
    )


def test_a_stage_that_ends_well_exits_with_zero():
    done = call("basic")
    assert (done.returncode, done.stdout, done.stderr) == (0, "did basic\n", "")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("value", "foldlab: x is 1; give 2.\n"),
        ("system", "foldlab: [Errno 13] Permission denied: 'results'\n"),
    ],
)
def test_a_refusal_is_one_sentence_and_a_status(kind, said):
    done = call(kind)
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("name", ["../basic", "/etc", "a/b", "..", "", "Basic", "a.b", "basic\n"])
def test_a_name_cannot_lead_out_of_its_folder(name):
    done = call(name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"foldlab: variant is {name!r}, but a name is a lower-case letter"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("stage", ["train", "evaluate", "plot"])
def test_each_stage_of_a_variant_refuses_a_path(stage, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "results").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", "../outside"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "a name is a lower-case letter" in done.stderr
    assert list(outside.iterdir()) == []


def test_a_mistake_of_ours_keeps_its_traceback():
    assert "Traceback" in call("ours").stderr


def test_a_missing_argument_shows_how_to_call():
    done = call()
    assert done.returncode == 2
    assert "variant" in done.stderr


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
    """The exception is dropped in a weak reference's callback; without a second one it sleeps."""
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
    assert entry.root() == tmp_path
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert entry.root() == Path("/elsewhere")


ALONE = """
import sys
from stages import entry
def stage(variant: str) -> None:
    '''Do something.'''
    print("began", flush=True)
    sys.stdin.read()
entry.run(entry.alone(stage), variant="a row")
"""


def alone(folder, variant):
    return subprocess.Popen(
        [sys.executable, "-c", ALONE, variant],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", ["well", "killed"])
def test_a_stage_waits_for_the_same_one_that_another_process_runs(tmp_path, end):
    first = alone(tmp_path, "basic")
    assert first.stdout.readline() == "began\n"
    second, other = alone(tmp_path, "basic"), alone(tmp_path, "other")
    assert second.stderr.readline() == (
        "foldlab: another process runs stage-basic here, perhaps left by a dvc that was killed; "
        "this one waits for its end.\n"
    )
    assert other.stdout.readline() == "began\n"
    if end == "killed":
        first.kill()
    first.communicate("")
    assert second.stdout.readline() == "began\n"
    for process in (second, other):
        process.communicate("")
        assert process.returncode == 0
