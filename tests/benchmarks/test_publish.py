import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import publish
from tests.tracking.made_results import make_repository

CODE = Path(__file__).parents[2]


def test_it_measures_a_small_and_a_greater_store(tmp_path):
    command = [sys.executable, "-m", "benchmarks.publish", "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=CODE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(Path(done.stdout.strip()).read_text())
    assert found["runs_in_the_greater_store"] >= 20
    assert 0.5 < found["seconds"] < 120
    there, small = found["seconds_there"], found["seconds"]
    assert found["times_as_long"] == pytest.approx(there / small, abs=0.02)
    assert found["environment"]["versions"]["mlflow"]


def test_a_variant_that_the_store_does_not_take_is_no_measurement(tmp_path):
    """The stage only warns and ends well, sooner than one that publishes."""
    root = make_repository(tmp_path)
    (root / "mlflow.db").write_text("no database")
    with pytest.raises(OSError, match="basic is not published: foldlab: "):
        publish.seconds(root, "basic")
