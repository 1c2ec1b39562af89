"""The Makefile in folders where making .venv takes seconds: there is nothing to install."""

import shutil
import subprocess
import sys

import pytest

from benchmarks.inputs import ROOT

pytestmark = pytest.mark.slow
OLD = "#!/bin/sh\nexit 1\n"  # how a Python that is too old answers the check


@pytest.fixture
def folder(tmp_path):
    """A checkout without dependencies, in a folder whose name has a space."""
    made = tmp_path / "my photos"
    made.mkdir()
    for name in ("requirements.txt", "constraints.txt", "requirements.lock"):
        (made / name).touch()
    shutil.copy(ROOT / "Makefile", made)
    return made


def make(folder, *arguments):
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_environment_is_made_in_a_folder_with_spaces_and_only_once(folder):
    made = make(folder, ".venv/ready")
    assert made.returncode == 0, made.stderr
    assert (folder / ".venv/bin/python").exists()
    assert "up to date" in make(folder, ".venv/ready").stdout


def test_an_environment_of_another_python_is_replaced(folder):
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text(OLD)
    (folder / ".venv/bin/python").chmod(0o755)
    made = make(folder, ".venv/ready")
    assert made.returncode == 0, made.stderr
    version = [folder / ".venv/bin/python", "-c", "import sys; print(sys.version_info[:2])"]
    run = subprocess.run(version, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(tuple(sys.version_info[:2]))


def test_an_unsupported_python_is_named(folder):
    old = folder / "old"
    old.write_text(OLD)
    old.chmod(0o755)
    made = make(folder, "PYTHON=./old", ".venv/ready")
    assert made.returncode
    assert not (folder / ".venv").exists()
