import json
import subprocess
import sys
from pathlib import Path

CODE = Path(__file__).parents[2]


def test_a_run_that_is_killed_twice_ends_as_if_nothing_had_happened(tmp_path):
    command = [sys.executable, "-m", "benchmarks.chaos", "--kills", "2", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=CODE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(Path(done.stdout.strip()).read_text())
    assert found["faults"] == []
    assert found["kills"] == sum(found["by_stage"].values()) == 2
    assert found["files_compared"] > 30
