import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = Path(__file__).parents[2]


def test_it_measures_a_queue_and_two_engines(tmp_path):
    pytest.importorskip("ray", reason="requirements-cluster.txt is not installed")
    command = [sys.executable, "-m", "benchmarks.cluster", "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=CODE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(Path(done.stdout.split()[-1]).read_text())
    assert (found["trivial"]["units"], found["tiny"]["units"]) == (20, 2)
    assert found["trivial"]["ms_a_unit_inside"] < found["tiny"]["ms_a_unit_inside"]
    assert found["trivial"]["ms_a_unit_overhead"] > 0
    assert found["trivial"]["driver_mib_at_the_end"] > 50
    assert found["basic"]["images_trained"] == 2 * 54
    assert {len(each) for each in found["basic"]["seconds"].values()} == {1}
    assert found["basic"]["ray_to_local"] > 0
