import subprocess
import sys
from pathlib import Path

import pytest

IMPORTING = """
import sys
import stages.engine.preload
tensorflow = sys.modules["tensorflow"]
tensorflow.config.threading.set_inter_op_parallelism_threads(3)  # refused once it has started
print("ready", flush=True)
"""


def ran(code):
    """Run code in the project's folder; return exit status, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_tensorflow_is_imported_but_not_started_and_ends_in_silence():
    assert ran(IMPORTING) == (0, "ready\n", "")
