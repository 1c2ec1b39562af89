"""What a command costs, children included."""

import sys

import pytest

from benchmarks import processes

LEAVES_A_CHILD = """
import subprocess, sys, time
late = "import time; time.sleep(4); open('late', 'w').close()"
subprocess.Popen([sys.executable, "-c", late], start_new_session=True)
time.sleep(1)
"""


def test_children_that_outlive_a_command_are_waited_for_and_not_counted(tmp_path):
    found = processes.cost([sys.executable, "-c", LEAVES_A_CHILD], tmp_path)
    assert (tmp_path / "late").exists()
    assert found.seconds < 4


def test_a_command_that_fails_shows_what_it_said(tmp_path):
    with pytest.raises(OSError, match="ended with status 3: no such thing"):
        processes.cost(["bash", "-c", "echo no such thing; exit 3"], tmp_path)
