"""The command line: exit statuses, refusals, interrupts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages.commands.line import line
from tests.command import status

HERE = Path(__file__).parents[1]
COMMANDS = ("champion", "fetch", "live", "predict", "promote", "search", "sweep")
MODULES = {name: f"stages.commands.{name}" for name in COMMANDS}
MODULES["pull-request"] = "stages.commands.pull_request"
PROGRAM = """
import sys
from stages.__main__ import handle
from stages.errors import UserError
def command(kind):
    if kind == "user": raise UserError("x is 1; give 2.")
    if kind == "system": raise PermissionError(13, "Permission denied", "results")
    if kind == "missing": raise FileNotFoundError(2, "No such file or directory", "results")
    if kind == "number": raise ValueError("operands could not be broadcast together")
    if kind == "ours": raise KeyError("bug")
    print("did", kind)
handle(lambda: command(sys.argv[1]))
"""


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=HERE, capture_output=True, text=True
    )


def test_a_stage_that_ends_well_exits_with_zero():
    done = call("basic")
    assert (done.returncode, done.stdout, done.stderr) == (0, "did basic\n", "")


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("user", "foldlab: x is 1; give 2."),
        ("system", "foldlab: results cannot be used (Permission denied)"),
    ],
)
def test_a_refusal_is_one_sentence_and_a_status(kind, start):
    done = call(kind)
    assert done.returncode == 1
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["../basic", "/etc", "a/b", "..", "", "Basic", "a.b", "basic\n"])
def test_a_name_cannot_lead_out_of_its_folder(name):
    assert str(status("train", name)).startswith(
        f"foldlab: variant is {name!r}, but a name is a lower-case letter"
    )


@pytest.mark.parametrize("stage", ["train", "evaluate", "plot"])
def test_each_stage_of_a_variant_refuses_a_path(stage, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "results").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "stages", stage, "../outside"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "a name is a lower-case letter" in done.stderr
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["ours", "number", "missing"])
def test_a_mistake_of_ours_keeps_its_traceback(kind):
    done = call(kind)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_missing_argument_shows_how_to_call(capsys):
    assert status("train") == 2
    assert "VARIANT" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(line.commands))
def test_an_interrupt_is_one_sentence_from_the_first_import_on(command, tmp_path):
    """The interrupt comes while the command imports what it needs."""
    arguments = {name: ["x"] for name in ("train", "evaluate", "plot", "publish", "predict")}
    arguments |= {"promote": ["x"], "fetch": ["models:/x/1"], "pull-request": ["main"]}
    arguments |= {"live": ["0", "x", "0"]}
    (tmp_path / "sitecustomize.py").write_text(
        "import _signal, os, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {MODULES.get(command, f'stages.{command}')!r}:\n"
        "            os.kill(os.getpid(), _signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "stages", command, *arguments.get(command, [])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{HERE}"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.stderr == "foldlab: stopped; the same command goes on from here.\n"
    assert done.returncode == 130
