import subprocess
import sys
from pathlib import Path

IMPORTING = """
import sys
import stages.training.preload
tensorflow = sys.modules["tensorflow"]
tensorflow.config.threading.set_inter_op_parallelism_threads(3)  # refused once it has started
print("ready", flush=True)
"""


def test_tensorflow_is_imported_but_not_started_and_ends_in_silence():
    command = [sys.executable, "-c", IMPORTING]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
