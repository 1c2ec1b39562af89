"""The command line: exit statuses, refusals, interrupts."""

import os
import signal
import subprocess
import sys

import pytest

from benchmarks.inputs import ROOT
from stages.__main__ import handle, main
from stages.commands.cli import cli
from stages.errors import UserError
from tests.command import status
from tests.refusals import command_refusal


def call(*command, **options):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("x is 1; give 2."), "foldlab: x is 1; give 2."),
        (PermissionError(13, "Permission denied", "results"), "foldlab: results .*denied.*same"),
        (ModuleNotFoundError("No module", name="yaml.nodes"), r"yaml\.nodes .*\.venv/bin/activate"),
    ],
)
def test_an_error_of_the_user_is_one_sentence(error, message):
    def command():
        raise error

    with pytest.raises(SystemExit, match=message) as end:
        handle(command)
    assert "\n" not in str(end.value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bug"),
        FileNotFoundError(2),
        BrokenPipeError(32),
        ModuleNotFoundError("No module", name="stages.data.jpg"),
    ],
)
def test_a_mistake_of_ours_keeps_its_traceback(error):
    def command():
        raise error

    with pytest.raises(type(error)):
        handle(command)


@pytest.mark.parametrize(
    ("stage", "name"),
    [("train", name) for name in ("../basic", "/etc", "a/b", "..", "", "Basic", "a.b", "basic\n")]
    + [(stage, "../basic") for stage in ("evaluate", "plot", "publish")],
)
def test_a_name_cannot_lead_out_of_its_folder(stage, name):
    assert command_refusal(stage, name).startswith(f"variant is {name!r}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "VARIANT"),
        (["publish"], "--all"),
        (["publish", "basic", "--all"], "--all"),
        (["promote", "basic", "--release"], "--release"),
        (["trian"], "trian"),
        (["search", "--trials", "-1"], "--trials"),
    ],
)
def test_wrong_usage_is_explained(arguments, message, capsys):
    assert status(*arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_help_lists_all_commands_and_what_it_does_not_need_is_not_imported():
    code = (
        "import sys\n"
        "from stages.__main__ import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*{'numpy', 'pydantic', 'sklearn'} & set(sys.modules))\n"
        "import stages.commands.predict\n"
        "print(*{'mlflow', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    *shown, for_help, for_predict = call("-c", code, cwd=ROOT).stdout.splitlines()
    listed = {text.split()[0] for text in shown[shown.index("Commands:") + 1 :]}
    assert listed == {name for name, command in cli.commands.items() if not command.hidden}
    assert (for_help, for_predict) == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (["train", "basic"], "stages.errors"),
        (["train", "basic"], "click"),
        (["train", "basic"], "stages.train"),
        (["predict", "x"], "stages.commands.predict"),
        (["live", "0", "x", "0"], "stages.commands.live"),
    ],
)
def test_an_interrupt_is_one_sentence_from_the_first_import_on(arguments, module, tmp_path):
    """The interrupt comes while the command imports what it needs."""
    (tmp_path / "sitecustomize.py").write_text(
        "import _signal, os, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), _signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    done = call(
        *("-m", "stages", *arguments),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 130
    assert done.stderr.startswith("foldlab: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("lines", [2, 20_000])  # fewer than a buffer holds, and more
def test_a_closed_output_ends_the_command_silently(lines):
    """As in a pipe to `head -1`."""
    code = f"from stages.__main__ import handle\nhandle(lambda: [print(n) for n in range({lines})])"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_windows_is_refused_with_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match=r"^foldlab: Windows .* Linux\.$"):
        main()
